//! Why records were not written.

use std::time::Duration;

use fluvio::Compression;

use crate::cluster::partition_error::PartitionError;

/// Why records were not written, or may not have been. A `partition` is `topic/number`.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The partition's leader cannot be asked.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// No acknowledgement arrived in time. The batch may have been written.
    #[error("{partition} did not acknowledge a batch within {:.1} s", .ack_timeout.as_secs_f64())]
    TimedOut {
        /// The partition.
        partition: String,
        /// The time waited.
        ack_timeout: Duration,
    },
    /// The batch was written at another offset than expected.
    #[error(
        "{partition} stored a batch at offset {got}, but {expected} was next: another producer writes to it, or an earlier batch \
         arrived late"
    )]
    UnexpectedOffset {
        /// The partition.
        partition: String,
        /// The offset the batch should have got.
        expected: i64,
        /// The offset it got.
        got: i64,
    },
    /// After an earlier error it is unknown what was written.
    #[error("the writer of {partition} failed before ({reason}): open another and read the tail")]
    Poisoned {
        /// The partition.
        partition: String,
        /// The earlier error.
        reason: String,
    },
    /// A record does not fit into a batch. Nothing was written.
    #[error(
        "record {position} of the append to {partition} takes {bytes} bytes, but a batch may hold {bytes_max}: SmartModules cannot \
         read larger ones"
    )]
    RecordTooLarge {
        /// The partition.
        partition: String,
        /// Its position in the append, from 0.
        position: usize,
        /// Its size on the wire.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A batch could not be made. Nothing of it was sent.
    #[error("a batch for {partition} cannot be encoded: {reason}")]
    NotEncoded {
        /// The partition.
        partition: String,
        /// What went wrong.
        reason: String,
    },
    /// The topic requires another compression than the config.
    #[error(
        "topic {topic} requires compression {demanded}, but meta.producer.compression is {wanted}: remove it"
    )]
    OtherCompression {
        /// The topic.
        topic: String,
        /// The config's.
        wanted: Compression,
        /// The topic's.
        demanded: Compression,
    },
    /// The topic drops repeated records, so the offsets of acknowledged ones are unknown.
    #[error(
        "topic {topic} has deduplication, which drops records after they were sent, so a connector cannot write to it exactly \
         once: recreate the topic without it"
    )]
    Deduplicated {
        /// The topic.
        topic: String,
    },
    /// The broker's disk is full.
    #[error("the broker has no space for {partition}: free some on its disk")]
    Full {
        /// The partition.
        partition: String,
    },
    /// The cluster answered, but not about this partition. The batch may have been written.
    #[error("the cluster's response to a batch for {partition} does not say whether it was stored")]
    NotAnswered {
        /// The partition.
        partition: String,
    },
    /// The cluster refuses for another reason.
    #[error("the cluster refuses a batch for {partition}: {reason}")]
    Refused {
        /// The partition.
        partition: String,
        /// The cluster's reason.
        reason: String,
    },
}

impl WriteError {
    /// Whether another attempt on a new connection can succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Partition(error) => error.is_transient(),
            Self::TimedOut { .. }
            | Self::UnexpectedOffset { .. }
            | Self::Poisoned { .. }
            | Self::Full { .. } => true,
            _ => false,
        }
    }
}
