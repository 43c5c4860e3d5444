//! Why a partition does not resume by itself.

/// Why a partition does not resume, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The input topic was recreated.
    #[error(
        "{topic}/{partition} is not the topic this lake was filled from: {reason}. It was probably deleted and \
         recreated; restart with --accept-recreated-topic to land the new one from its beginning (the old files stay)"
    )]
    Recreated {
        /// The input topic.
        topic: String,
        /// The input partition.
        partition: u32,
        /// How it differs.
        reason: String,
    },
    /// Records that were not landed are gone.
    #[error(
        "{topic}/{partition} begins at offset {start}, but records from {wanted} on are not landed yet: the topic's \
         retention removed them; restart with --accept-lost-records to resume at {start}"
    )]
    LostRecords {
        /// The input topic.
        topic: String,
        /// The input partition.
        partition: u32,
        /// The oldest record.
        start: i64,
        /// The first record needed.
        wanted: i64,
    },
    /// The number of partitions changed.
    #[error(
        "{topic} has {now} partitions, but had {before} when this lake was filled: keys may have moved between \
         partitions; restart with --accept-partition-count to continue"
    )]
    PartitionCount {
        /// The input topic.
        topic: String,
        /// The number at the last commit.
        before: u32,
        /// The number now.
        now: u32,
    },
    /// The stage was called something else, or two stages land the same rows.
    #[error(
        "the table of {topic}/{partition} has its rows up to offset {landed} from stage {other}, so {this} would land them \
         again: call this stage {other} (meta.name) to go on from there, or give it a table of another name"
    )]
    OtherStage {
        /// The input topic.
        topic: String,
        /// The input partition.
        partition: u32,
        /// The last input that is landed.
        landed: i64,
        /// The stage that landed it.
        other: String,
        /// This stage.
        this: String,
    },
    /// An output topic holds outputs of inputs that do not exist.
    #[error(
        "{output}/{partition} holds outputs of {topic}/{partition} up to offset {tail}, but those are of an older \
         {topic}: its readers would ignore the new ones; delete {output} as well (fluvio topic delete {output}) and \
         restart{flag}"
    )]
    OutputAhead {
        /// The output topic.
        output: String,
        /// The input topic.
        topic: String,
        /// The partition of both.
        partition: u32,
        /// The input that the last record was made from.
        tail: i64,
        /// The flag to restart with, if one is needed.
        flag: &'static str,
    },
}
