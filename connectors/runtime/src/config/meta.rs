//! What every connector is told: its name, its topic, how to read and write.

use std::collections::BTreeSet;
use std::time::Duration;

use fluvio::Compression;

use crate::config::error::ConfigError;
use crate::topic::TopicSettings;

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
