//! A connector's configuration file: the contract of `fluvio-connector-common`, checked more strictly.
//!
//! - `apiVersion` 0.1.0 (or none) has `meta.topic` as a name, 0.2.0 as an object; everything else is the same.
//! - A key nobody knows is an error, wherever it stands. A connector's own settings must derive
//!   `#[serde(deny_unknown_fields)]` to keep that promise.
//! - `${{ secrets.NAME }}` is replaced before parsing. No error and no `Debug` shows what a secret became.
//! - An error names the line, the key and what is expected there.

mod document;
mod error;
mod render;
mod scalars;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use fluvio::Compression;
use fluvio::consumer::{SmartModuleExtraParams, SmartModuleInvocationWasm, SmartModuleKind};
use fluvio::metadata::topic::{Bounds, Deduplication, Filter, Transform as DeduplicationTransform};
use serde::de::{DeserializeOwned, DeserializeSeed};

use crate::SmartModuleInvocation;
pub use crate::config::error::ConfigError;
use crate::config::error::{Source, line_of};
use crate::config::secrets::is_name;
pub use crate::config::secrets::{Secrets, SecretsError};
use crate::topic::TopicSettings;

/// A connector's whole configuration: what all connectors have, and `S`, the section of this one.
#[derive(Debug, Clone)]
pub struct ConnectorConfig<S> {
    /// Name, topic, how to read and write.
    pub meta: Meta,
    /// SmartModules, in order.
    pub transforms: Vec<Transform>,
    /// The connector's own section.
    pub settings: S,
}

impl<S: DeserializeOwned> ConnectorConfig<S> {
    /// Parses `text`; the connector's own settings stand in the top-level `section`, which may be missing if all of them
    /// have defaults.
    pub fn from_yaml(text: &str, section: &str, secrets: &Secrets) -> Result<Self, ConfigError> {
        let declared = declared_secrets(text)?;
        let rendered = render::render(text, &declared, secrets)?;
        let seed = document::DocumentSeed::<S>::new(section);
        let document =
            serde_saphyr::with_deserializer_from_str(&rendered.text, |de| seed.deserialize(de))
                .map_err(|err| {
                    Source {
                        text,
                        rendered: &rendered,
                    }
                    .explain(&err)
                })?;
        let meta = check_meta(text, document.api_version.as_deref(), document.meta)?;
        Ok(Self {
            meta,
            transforms: document.transforms.into_iter().map(Into::into).collect(),
            settings: document.settings,
        })
    }

    /// Reads and parses a file. Without a secrets file, secrets come from environment variables of their names.
    pub fn load(
        path: &Path,
        section: &str,
        secrets_path: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let secrets = match secrets_path {
            Some(path) => Secrets::from_file(path)?,
            None => Secrets::from_env(),
        };
        let text = std::fs::read_to_string(path).map_err(|err| ConfigError::Unreadable {
            path: path.display().to_string(),
            reason: err.to_string(),
        })?;
        Self::from_yaml(&text, section, &secrets).map_err(|err| err.in_file(path))
    }
}

impl<S> ConnectorConfig<S> {
    /// The transforms as the SmartModule invocations of a consumer.
    pub fn invocations(&self) -> Vec<SmartModuleInvocation> {
        self.transforms.iter().map(Transform::invocation).collect()
    }

    /// The name under which progress is stored: `meta.consumer.id`, else `meta.name`.
    pub fn consumer_id(&self) -> &str {
        self.meta.consumer.id.as_deref().unwrap_or(&self.meta.name)
    }
}

/// The `meta` section.
#[derive(Debug, Clone)]
pub struct Meta {
    /// The connector's name.
    pub name: String,
    /// e.g. `parquet-sink`.
    pub type_: String,
    /// Version of the connector.
    pub version: String,
    /// The topic it reads or writes.
    pub topic: TopicSettings,
    /// How to write.
    pub producer: ProducerParameters,
    /// How to read.
    pub consumer: ConsumerParameters,
    /// Names of the secrets the file may use.
    pub secrets: Vec<String>,
}

/// `meta.producer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerParameters {
    /// How long a batch may wait for more records.
    pub linger: Option<Duration>,
    /// How batches are compressed.
    pub compression: Option<Compression>,
    /// Upper bound of a batch.
    pub batch_size_bytes: Option<u64>,
    /// Upper bound of a request.
    pub max_request_size_bytes: Option<u64>,
}

/// `meta.consumer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerParameters {
    /// Which partitions to read.
    pub partition: Partitions,
    /// Upper bound of one answer.
    pub max_bytes: Option<u64>,
    /// The name under which progress is stored.
    pub id: Option<String>,
    /// Where to start, and whether the cluster keeps the position.
    pub offset: Option<OffsetParameters>,
}

/// `meta.consumer.offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetParameters {
    /// Where a consumer without stored position starts.
    pub start: Option<StartOffset>,
    /// Who stores the position.
    pub strategy: OffsetStrategy,
    /// How often it is stored.
    pub flush_period: Option<Duration>,
}

/// Where to start reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartOffset {
    /// This offset.
    Absolute(i64),
    /// The oldest record.
    Beginning,
    /// So many records after the oldest.
    FromBeginning(u32),
    /// The next record to arrive.
    End,
    /// So many records before the end.
    FromEnd(u32),
}

/// Who stores the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetStrategy {
    /// Nobody.
    None,
    /// The connector.
    Manual,
    /// The client.
    Auto,
}

/// Which partitions of a topic to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Partitions {
    /// Every one.
    #[default]
    All,
    /// One.
    One(u32),
    /// Several.
    Many(Vec<u32>),
}

impl Partitions {
    /// The chosen ones among `count` partitions, ascending and each once; an error names one that does not exist.
    pub fn resolve(&self, count: u32) -> Result<Vec<u32>, ConfigError> {
        let chosen: BTreeSet<u32> = match self {
            Self::All => (0..count).collect(),
            Self::One(partition) => BTreeSet::from([*partition]),
            Self::Many(partitions) => partitions.iter().copied().collect(),
        };
        match chosen.range(count..).next() {
            Some(missing) => Err(ConfigError::NoSuchPartition {
                partition: *missing,
                count,
            }),
            None => Ok(chosen.into_iter().collect()),
        }
    }
}

/// One step of `transforms`.
#[derive(Clone, PartialEq, Eq)]
pub struct Transform {
    /// The SmartModule's name in the cluster.
    pub uses: String,
    /// Its parameters; what is not a string in the file is JSON here.
    pub with: BTreeMap<String, String>,
    /// Records it is shown before the first.
    pub lookback: Option<Lookback>,
}

impl Transform {
    /// As the invocation a consumer sends.
    pub fn invocation(&self) -> SmartModuleInvocation {
        let lookback =
            self.lookback.map(
                |lookback| fluvio_smartmodule::dataplane::smartmodule::Lookback {
                    last: lookback.last,
                    age: lookback.age,
                },
            );
        SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::Predefined(self.uses.clone()),
            kind: SmartModuleKind::Generic(Default::default()),
            params: SmartModuleExtraParams::new(self.with.clone(), lookback),
            name: Some(self.uses.clone()),
        }
    }
}

/// The parameters' names only: a value may come from a secret.
impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transform")
            .field("uses", &self.uses)
            .field("with", &self.with.keys().collect::<Vec<_>>())
            .field("lookback", &self.lookback)
            .finish()
    }
}

/// How far a SmartModule looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback {
    /// So many records; 0 with an age: only the age counts.
    pub last: u64,
    /// Records so young.
    pub age: Option<Duration>,
}

/// The names under `meta.secrets`, read before anything is rendered. What is wrong elsewhere shows later.
fn declared_secrets(text: &str) -> Result<BTreeSet<String>, ConfigError> {
    let bare = render::without_templates(text);
    let Ok(found) = serde_saphyr::from_str::<document::SecretsOnly>(&bare) else {
        return Ok(BTreeSet::new());
    };
    let entries = found.meta.and_then(|meta| meta.secrets).unwrap_or_default();
    let mut names = BTreeSet::new();
    for entry in entries {
        if !is_name(&entry.name) {
            return Err(ConfigError::Invalid {
                file: None,
                line: line_of(text, "secrets"),
                problem: format!(
                    "`{}` is no name for a secret: use ASCII letters, digits and underscores, not beginning with a digit",
                    entry.name
                ),
            });
        }
        names.insert(entry.name);
    }
    Ok(names)
}

/// What parsing alone cannot tell: the version, what must be there, what must fit together.
fn check_meta(
    text: &str,
    api_version: Option<&str>,
    meta: Option<document::Meta>,
) -> Result<Meta, ConfigError> {
    let invalid = |key: &str, problem: String| ConfigError::Invalid {
        file: None,
        line: line_of(text, key),
        problem,
    };
    let topic_is_object = match api_version {
        // The oldest files have none and read as 0.1.0.
        None | Some("0.0.0" | "0.1.0") => false,
        Some("0.2.0") => true,
        Some(other) => {
            return Err(invalid(
                "apiVersion",
                format!("apiVersion `{other}` is unknown: use 0.1.0 or 0.2.0"),
            ));
        }
    };
    let meta = meta.ok_or_else(|| {
        invalid(
            "meta",
            "section `meta` is missing: it names the connector and its topic".to_owned(),
        )
    })?;
    let required = |key: &str, what: &str, value: Option<String>| {
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| invalid("meta", format!("`meta.{key}` is missing: {what}")))
    };
    let topic = meta.topic.ok_or_else(|| {
        invalid(
            "meta",
            "`meta.topic` is missing: name the topic to read or write".to_owned(),
        )
    })?;
    let topic = match topic {
        document::Topic::Name(name) if topic_is_object => {
            return Err(invalid(
                "topic",
                format!(
                    "apiVersion 0.2.0 wants `meta.topic` as an object: write `topic: {{ meta: {{ name: {name} }} }}`, or \
                     use apiVersion 0.1.0"
                ),
            ));
        }
        document::Topic::Object(_) if !topic_is_object => {
            return Err(invalid(
                "topic",
                "apiVersion 0.1.0 wants `meta.topic` as a name: an object needs apiVersion 0.2.0"
                    .to_owned(),
            ));
        }
        document::Topic::Name(name) => TopicSettings::named(required(
            "topic",
            "name the topic to read or write",
            Some(name),
        )?),
        document::Topic::Object(object) => {
            topic_settings(*object).map_err(|problem| invalid("topic", problem))?
        }
    };
    Ok(Meta {
        name: required("name", "give this connector a name", meta.name)?,
        type_: required("type", "e.g. `type: parquet-sink`", meta.type_)?,
        version: required(
            "version",
            "the connector's version, e.g. `version: 0.1.0`",
            meta.version,
        )?,
        topic,
        producer: meta.producer.map(Into::into).unwrap_or_default(),
        consumer: meta.consumer.map(Into::into).unwrap_or_default(),
        secrets: meta
            .secrets
            .unwrap_or_default()
            .into_iter()
            .map(|secret| secret.name)
            .collect(),
    })
}

fn topic_settings(object: document::TopicObject) -> Result<TopicSettings, String> {
    let partition = object.partition;
    let mut replica_assignment = Vec::new();
    for map in partition.maps.unwrap_or_default() {
        replica_assignment.push((map.id, map.replicas));
    }
    if partition.count == Some(0) {
        return Err("`meta.topic.partition.count` is 0: a topic has at least one partition".into());
    }
    let assigned = u32::try_from(replica_assignment.len()).unwrap_or(u32::MAX);
    if assigned > 0 && partition.count.is_some_and(|count| count != assigned) {
        return Err(format!(
            "`meta.topic.partition.maps` places {assigned} partitions, `count` asks for another number: leave one out"
        ));
    }
    let segment_size_bytes = match object.retention.segment_size {
        None => None,
        Some(size) => Some(u32::try_from(size.0).map_err(|_| {
            "`meta.topic.retention.segment-size` is above 4 GiB, more than a segment can hold"
                .to_owned()
        })?),
    };
    Ok(TopicSettings {
        name: object.meta.name,
        partitions: partition
            .count
            .or_else(|| (assigned > 0).then_some(assigned)),
        replication: partition.replication,
        ignore_rack_assignment: partition.ignore_rack_assignment.unwrap_or(false),
        replica_assignment,
        retention: object.retention.time.map(|span| span.0),
        segment_size_bytes,
        partition_size_bytes_max: partition.max_size.map(|size| size.0),
        compression: object.compression.and_then(|it| it.type_.0),
        deduplication: object.deduplication.map(|it| Deduplication {
            bounds: Bounds {
                count: it.bounds.count.get(),
                age: it.bounds.age.map(|span| span.0),
            },
            filter: Filter {
                transform: DeduplicationTransform {
                    uses: it.filter.transform.uses,
                    with: it.filter.transform.with,
                },
            },
        }),
    })
}

impl From<document::Producer> for ProducerParameters {
    fn from(raw: document::Producer) -> Self {
        Self {
            linger: raw.linger.map(|span| span.0),
            compression: raw.compression.and_then(|name| name.0),
            batch_size_bytes: raw.batch_size.map(|size| size.0),
            max_request_size_bytes: raw.max_request_size.map(|size| size.0),
        }
    }
}

impl From<document::Consumer> for ConsumerParameters {
    fn from(raw: document::Consumer) -> Self {
        Self {
            partition: raw.partition,
            max_bytes: raw.max_bytes.map(|size| size.0),
            id: raw.id,
            offset: raw.offset.map(|offset| OffsetParameters {
                start: offset.start,
                strategy: offset.strategy,
                flush_period: offset.flush_period.map(|span| span.0),
            }),
        }
    }
}

impl From<document::Transform> for Transform {
    fn from(raw: document::Transform) -> Self {
        Self {
            uses: raw.uses,
            with: raw
                .with
                .into_iter()
                .map(|(name, value)| (name, value.0))
                .collect(),
            lookback: raw.lookback.map(|lookback| Lookback {
                last: lookback.last,
                age: lookback.age.map(|span| span.0),
            }),
        }
    }
}
