//! What was found at a start.

use connector_runtime::record::LogRange;
use lake::CommitStamp;

use crate::config::Accept;

/// Everything that the decision where to resume depends on.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The stage's name.
    pub stage: String,
    /// The input partition.
    pub input: InputFacts,
    /// The tables.
    pub lake: LakeFacts,
    /// Each output topic, in the order of the plan.
    pub topics: Vec<TopicFacts>,
    /// Changes of the input that the operator accepts.
    pub accept: Accept,
}

/// What was found in the input partition.
#[derive(Debug, Clone)]
pub(crate) struct InputFacts {
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
    /// Number of partitions of the input topic.
    pub partitions: u32,
    /// The offsets that the partition holds.
    pub log: LogRange,
    /// The hash of the record at the committed offset; `None` when it is gone or nothing is committed.
    pub record_hash: Option<String>,
    /// For a SmartModule that drops duplicates: the committed record with the greatest `source_offset`, which it must see.
    pub greatest_at: Option<i64>,
}

/// What was found in the lake.
#[derive(Debug, Clone)]
pub(crate) struct LakeFacts {
    /// The stamp of the main table's newest entry for this partition.
    pub main: Option<CommitStamp>,
    /// Another stage that wrote rows of this partition into the main table.
    pub other_stage: Option<CommitStamp>,
    /// The stamp of each side table's newest entry for this partition, in the order of the plan.
    pub side_tables: Vec<Option<CommitStamp>>,
}

/// What was found in one output partition.
#[derive(Debug, Clone)]
pub(crate) struct TopicFacts {
    /// The topic's name.
    pub name: String,
    /// The offsets that the output partition holds.
    pub log: LogRange,
    /// The input that its last record was made from.
    pub tail: Option<i64>,
}
