//! Creating topics and asking about them.

use std::time::Duration;

use crate::cluster::Client;

/// A topic as a config describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// The topic's name.
    pub name: String,
    /// How many partitions; `None`: whatever it has, one when it is created.
    pub partitions: Option<u32>,
    /// Copies of each partition.
    pub replication: Option<u32>,
    /// How long records are kept.
    pub retention: Option<Duration>,
    /// Upper bound of a segment file.
    pub segment_size_bytes: Option<u32>,
    /// Upper bound of a partition.
    pub partition_size_bytes_max: Option<u64>,
    /// What producers must use; `None`: anything.
    pub compression: Option<fluvio::Compression>,
}

impl TopicSettings {
    /// A topic of that name, everything else by default.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication: None,
            retention: None,
            segment_size_bytes: None,
            partition_size_bytes_max: None,
            compression: None,
        }
    }
}

/// Creates the topic unless it is there. Returns its partition count.
pub async fn ensure_topic(_client: &Client, _topic: &TopicSettings) -> Result<u32, TopicError> {
    todo!()
}

/// How many partitions a topic has.
pub async fn partition_count(_client: &Client, _topic: &str) -> Result<u32, TopicError> {
    todo!()
}

/// Why a topic is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// It does not exist.
    #[error("placeholder")]
    Missing,
}

impl TopicError {
    /// Whether trying again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        true
    }
}
