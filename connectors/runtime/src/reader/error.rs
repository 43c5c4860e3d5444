//! Why a partition cannot be read.

use fluvio::dataplane::link::ErrorCode;

use crate::cluster::leader::Leader;
use crate::cluster::partition_error::PartitionError;

/// Why a partition cannot be read. A `partition` is `topic/number`.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The partition's leader cannot be asked.
    #[error(transparent)]
    Partition(#[from] PartitionError),
    /// The topic's retention has deleted the record.
    #[error(
        "{partition} no longer holds offset {offset}: its log starts at {log_start}; the topic's retention has deleted the \
         records before"
    )]
    OffsetEvicted {
        /// The partition.
        partition: String,
        /// The offset asked for.
        offset: i64,
        /// The oldest offset.
        log_start: i64,
    },
    /// The record never existed: the topic was recreated, or this is another cluster.
    #[error(
        "{partition} has no offset {offset} yet: its log ends at {log_end}; was the topic deleted and created again?"
    )]
    OffsetBeyondEnd {
        /// The partition.
        partition: String,
        /// The offset asked for.
        offset: i64,
        /// The offset the next record will get.
        log_end: i64,
    },
    /// The SPU has no SmartModule of that name. This can pass: an SPU learns of a new one a little after the SC.
    #[error(
        "the SPU of {partition} has no SmartModule {name}: if `fluvio smartmodule list` does not show it, create it, or \
         correct `uses` in the config"
    )]
    ModuleMissing {
        /// The partition.
        partition: String,
        /// Its name.
        name: String,
    },
    /// A SmartModule refused its parameters, or failed on a record.
    #[error("a SmartModule reading {partition} failed: {message}")]
    ModuleFailed {
        /// The partition.
        partition: String,
        /// Its message.
        message: String,
    },
    /// The log holds bytes that are no records.
    #[error("{partition} cannot be read at offset {offset}: {reason}")]
    Corrupt {
        /// The partition.
        partition: String,
        /// The offset of the batch.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster refuses for another reason.
    #[error("the cluster refuses to read {partition}: {reason}")]
    Refused {
        /// The partition.
        partition: String,
        /// The cluster's reason.
        reason: String,
    },
}

impl ReadError {
    /// Whether another attempt on a new connection can succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Partition(error) => error.is_transient(),
            Self::ModuleMissing { .. } => true,
            _ => false,
        }
    }

    /// The meaning of an error code in a stream's response.
    pub(super) fn from_code(code: ErrorCode, leader: &Leader, position: i64) -> Self {
        let partition = leader.name();
        let reading = format!("reading {partition}");
        match code {
            ErrorCode::OffsetEvicted {
                offset,
                next_available,
            } => Self::OffsetEvicted {
                partition,
                offset,
                log_start: next_available,
            },
            ErrorCode::OffsetOutOfRange => Self::Refused {
                partition,
                reason: format!("offset {position} is out of the log's range"),
            },
            ErrorCode::TopicNotFound | ErrorCode::TopicDeleted => {
                let topic = leader.topic.clone();
                PartitionError::TopicMissing { topic }.into()
            }
            ErrorCode::NotLeaderForPartition
            | ErrorCode::PartitionNotLeader
            | ErrorCode::PartitionPendingInitialization
            | ErrorCode::TopicPendingInitialization
            | ErrorCode::TopicNotProvisioned
            | ErrorCode::SpuOffline
            | ErrorCode::SpuNotFound
            | ErrorCode::FetchSessionNotFoud
            | ErrorCode::RequestTimedOut { .. } => {
                PartitionError::disconnected(reading, code).into()
            }
            // An SPU reports this when it cannot read its log for the modules: it closes the file of a full segment while
            // streams still read it, and may then even read another file under the same descriptor.
            ErrorCode::Other(error) if error.starts_with("SmartModule err ") => {
                let reason = format!("the SPU could not read its log: {error}");
                PartitionError::disconnected(reading, reason).into()
            }
            ErrorCode::SmartModuleNotFound { name } => Self::ModuleMissing { partition, name },
            ErrorCode::SmartModuleError
            | ErrorCode::SmartModuleInvalid { .. }
            | ErrorCode::SmartModuleInvalidExports { .. }
            | ErrorCode::SmartModuleRuntimeError(_)
            | ErrorCode::SmartModuleChainInitError(_)
            | ErrorCode::SmartModuleInitError(_)
            | ErrorCode::SmartModuleLookBackError(_)
            | ErrorCode::SmartModuleMemoryLimitExceeded { .. } => Self::ModuleFailed {
                partition,
                message: code.to_string(),
            },
            other => Self::Refused {
                partition,
                reason: other.to_string(),
            },
        }
    }
}
