//! The shape of a config file: every key it may have. Both versions share one shape and are told apart afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

use crate::config::meta::Partitions;
use crate::config::scalars::{
    Bytes, CompressionName, OffsetStrategy, Parameter, Span, StartOffset,
};

/// A config file as it stands.
pub(super) struct Document<S> {
    pub(super) api_version: Option<String>,
    pub(super) meta: Option<Meta>,
    pub(super) transforms: Vec<Transform>,
    pub(super) settings: S,
}

/// Reads a [`Document`] whose settings stand under `section`.
pub(super) struct DocumentSeed<'a, S> {
    section: &'a str,
    settings: PhantomData<S>,
}

impl<'a, S> DocumentSeed<'a, S> {
    pub(super) fn new(section: &'a str) -> Self {
        Self {
            section,
            settings: PhantomData,
        }
    }
}

impl<'de, S: DeserializeOwned> DeserializeSeed<'de> for DocumentSeed<'_, S> {
    type Value = Document<S>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document<S>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeOwned> Visitor<'de> for DocumentSeed<'_, S> {
    type Value = Document<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a connector config with the keys apiVersion, meta, transforms and {}",
            self.section
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<S>, A::Error> {
        let mut api_version = None;
        let mut meta = None;
        let mut transforms = None;
        let mut settings = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => api_version = Some(map.next_value()?),
                "meta" => meta = Some(map.next_value()?),
                "transforms" => transforms = map.next_value()?,
                section if section == self.section => settings = Some(map.next_value()?),
                other => {
                    return Err(A::Error::custom(format_args!(
                        "unknown key `{other}`; known here: apiVersion, meta, transforms, {}",
                        self.section
                    )));
                }
            }
        }
        let settings = match settings {
            Some(settings) => settings,
            // A connector that needs nothing may leave its section out.
            None => {
                let empty = std::iter::empty::<(String, String)>();
                let nothing: MapDeserializer<'_, _, serde::de::value::Error> =
                    MapDeserializer::new(empty);
                S::deserialize(nothing).map_err(|err| {
                    A::Error::custom(format_args!("section `{}` is missing: {err}", self.section))
                })?
            }
        };
        Ok(Document {
            api_version,
            meta,
            transforms: transforms.unwrap_or_default(),
            settings,
        })
    }
}

/// The section `meta`, which every connector has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    /// Required. The connector's name, in logs and metrics.
    pub(super) name: Option<String>,
    /// Required. Which connector it is: `parquet-sink` or `coingecko-source`.
    #[serde(rename = "type")]
    pub(super) type_: Option<String>,
    /// Required. The connector's version, such as `0.1.0`.
    pub(super) version: Option<String>,
    /// Required. The topic to read or write: its name (`apiVersion` 0.1.0) or an object (0.2.0).
    pub(super) topic: Option<Topic>,
    /// How a source writes.
    pub(super) producer: Option<Producer>,
    /// How a sink reads.
    pub(super) consumer: Option<Consumer>,
    /// The secrets that the file may use as `${{ secrets.NAME }}`.
    #[serde(rename = "secrets")]
    pub(super) _secrets: Option<Vec<SecretEntry>>,
    /// Accepted for older files and ignored: a missing topic is always created.
    #[serde(alias = "create-topic", rename = "create_topic")]
    pub(super) _create_topic: Option<IgnoredAny>,
}

/// One entry of `meta.secrets`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretEntry {
    /// The secret's name: ASCII letters, digits and underscores, not starting with a digit.
    pub(super) name: String,
}

/// The section `meta.producer`. What says "accepted" is for configs shared with other connectors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Producer {
    /// Accepted and not used: a batch is sent at once.
    #[serde(rename = "linger")]
    pub(super) _linger: Option<Span>,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`. Default: what the topic demands, else none.
    pub(super) compression: Option<CompressionName>,
    /// Accepted and not used: a batch holds at most 1 MiB.
    #[serde(rename = "batch-size", alias = "batch_size")]
    pub(super) _batch_size: Option<Bytes>,
    /// Accepted and not used.
    #[serde(rename = "max-request-size", alias = "max_request_size")]
    pub(super) _max_request_size: Option<Bytes>,
}

/// The section `meta.consumer`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consumer {
    /// The partitions to read: `all`, one number, or a list.
    #[serde(default)]
    pub(super) partition: Partitions,
    /// Accepted and not used: a read is always larger than a segment.
    #[serde(rename = "max-bytes", alias = "max_bytes")]
    pub(super) _max_bytes: Option<Bytes>,
    /// The consumer under which `fluvio consumer list` shows the progress. Default: `meta.name`.
    pub(super) id: Option<String>,
    /// Where to start.
    #[serde(rename = "offset")]
    pub(super) _offset: Option<ConsumerOffset>,
}

/// The section `meta.consumer.offset`. Accepted and not used: a stage starts where its lake ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerOffset {
    /// `beginning`, `end`, or one of `absolute`, `from-beginning`, `from-end` with a number.
    #[serde(rename = "start")]
    pub(super) _start: Option<StartOffset>,
    /// `none`, `manual` or `auto`.
    #[serde(rename = "strategy")]
    pub(super) _strategy: OffsetStrategy,
    /// How often the offset is stored.
    #[serde(rename = "flush-period")]
    pub(super) _flush_period: Option<Span>,
}

/// One entry of `transforms`: a SmartModule that the broker runs on every record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transform {
    /// The SmartModule's name in the cluster.
    pub(super) uses: String,
    /// Its parameters. A value that is no string is passed as JSON.
    #[serde(default)]
    pub(super) with: BTreeMap<String, Parameter>,
    /// Records that the SmartModule sees before the first one.
    pub(super) lookback: Option<Lookback>,
}

/// How far a SmartModule looks back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lookback {
    /// This many records. 0 with an `age`: only the age counts.
    #[serde(default)]
    pub(super) last: u64,
    /// Records at most this old.
    pub(super) age: Option<Span>,
}

/// `meta.topic`: a name in version 0.1.0, an object in 0.2.0.
pub(super) enum Topic {
    Name(String),
    Object(Box<TopicObject>),
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopicVisitor;
        impl<'de> Visitor<'de> for TopicVisitor {
            type Value = Topic;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a topic's name (apiVersion 0.1.0) or an object with meta.name (apiVersion 0.2.0)",
                )
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Topic, E> {
                Ok(Topic::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Topic, A::Error> {
                TopicObject::deserialize(MapAccessDeserializer::new(map))
                    .map(|object| Topic::Object(Box::new(object)))
            }
        }
        deserializer.deserialize_any(TopicVisitor)
    }
}

/// `meta.topic` of `apiVersion` 0.2.0: the topic as it is created when it does not exist.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicObject {
    /// Accepted and ignored.
    #[serde(rename = "version")]
    pub(super) _version: Option<String>,
    /// The topic's name.
    pub(super) meta: TopicMeta,
    /// How many partitions, and where.
    #[serde(default)]
    pub(super) partition: TopicPartition,
    /// How long records are kept.
    #[serde(default)]
    pub(super) retention: Retention,
    /// The compression that producers must use.
    pub(super) compression: Option<TopicCompression>,
    /// Drops repeated records on arrival. A connector refuses to write to such a topic.
    pub(super) deduplication: Option<Deduplication>,
}

/// `meta.topic.meta`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicMeta {
    /// The topic's name.
    pub(super) name: String,
}

/// `meta.topic.partition`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TopicPartition {
    /// How many. Default: as many as the topic has, one when it is created.
    pub(super) count: Option<u32>,
    /// Upper bound of a partition on disk. Default: the cluster's.
    pub(super) max_size: Option<Bytes>,
    /// Copies of each partition. Default: 1.
    pub(super) replication: Option<u32>,
    /// Place partitions without regard to racks. Default: false.
    pub(super) ignore_rack_assignment: Option<bool>,
    /// Which SPUs hold which partition. Default: the cluster decides.
    pub(super) maps: Option<Vec<PartitionMap>>,
}

/// One entry of `meta.topic.partition.maps`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionMap {
    /// The partition, from 0.
    pub(super) id: u32,
    /// SPU ids, the leader first.
    pub(super) replicas: Vec<i32>,
}

/// `meta.topic.retention`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Retention {
    /// How long records are kept. Default: the cluster's, 7 days.
    pub(super) time: Option<Span>,
    /// Upper bound of a segment file. Default: 16 MiB.
    pub(super) segment_size: Option<Bytes>,
}

/// `meta.topic.compression`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicCompression {
    /// `any`, `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    #[serde(rename = "type")]
    pub(super) type_: CompressionName,
}

/// `meta.topic.deduplication`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deduplication {
    /// How far back records are compared.
    pub(super) bounds: Bounds,
    /// Which SmartModule compares them.
    pub(super) filter: Filter,
}

/// `meta.topic.deduplication.bounds`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    /// This many records.
    pub(super) count: std::num::NonZeroU64,
    /// Records at most this old.
    pub(super) age: Option<Span>,
}

/// `meta.topic.deduplication.filter`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// The SmartModule that compares.
    pub(super) transform: FilterTransform,
}

/// `meta.topic.deduplication.filter.transform`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterTransform {
    /// Its name in the cluster.
    pub(super) uses: String,
    /// Its parameters.
    #[serde(default)]
    pub(super) with: BTreeMap<String, String>,
}
