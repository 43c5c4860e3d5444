//! What every connector is told: its name, its topic, how to read and write.

use std::collections::BTreeSet;

use fluvio::Compression;

use crate::config::error::ConfigError;
use crate::topic::TopicSettings;

/// The `meta` section, without the keys that no connector reads.
#[derive(Debug, Clone)]
pub struct Meta {
    /// The connector's name.
    pub name: String,
    /// The topic it reads or writes.
    pub topic: TopicSettings,
    /// How to write.
    pub producer: ProducerParameters,
    /// How to read.
    pub consumer: ConsumerParameters,
}

/// `meta.producer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProducerParameters {
    /// How batches are compressed. `None`: as the topic demands, else not at all.
    pub compression: Option<Compression>,
}

/// `meta.consumer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerParameters {
    /// Which partitions to read.
    pub partition: Partitions,
    /// The name under which progress is stored. `None`: that of the connector.
    pub id: Option<String>,
}

/// Which partitions of a topic to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Partitions {
    /// Every one.
    #[default]
    All,
    /// One.
    One(u32),
    /// Several, at least one.
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
