//! A connector's configuration file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::SmartModuleInvocation;
use crate::secrets::Secrets;
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
    /// Parses `text`; the connector's own settings stand in the top-level `section`.
    pub fn from_yaml(_text: &str, _section: &str, _secrets: &Secrets) -> Result<Self, ConfigError> {
        todo!()
    }

    /// Reads and parses a file. Without a secrets file, secrets come from environment variables of their names.
    pub fn load(
        _path: &Path,
        _section: &str,
        _secrets_path: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        todo!()
    }
}

impl<S> ConnectorConfig<S> {
    /// The transforms as the SmartModule invocations of a consumer.
    pub fn invocations(&self) -> Vec<SmartModuleInvocation> {
        self.transforms.iter().map(Transform::invocation).collect()
    }
}

/// The `meta` section.
#[derive(Debug, Clone)]
pub struct Meta {
    /// The connector's name; also its consumer id unless `consumer.id` says otherwise.
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
    pub compression: Option<fluvio::Compression>,
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
    /// The chosen ones among `count` partitions, ascending; an error names one that does not exist.
    pub fn resolve(&self, _count: u32) -> Result<Vec<u32>, ConfigError> {
        todo!()
    }
}

/// One step of `transforms`.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        todo!()
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

/// What is wrong with a configuration file: one sentence with the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct ConfigError;
