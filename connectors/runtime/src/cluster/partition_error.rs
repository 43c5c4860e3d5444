//! Why the leader of a partition cannot be asked.

use std::fmt::Display;

/// Why the leader of a partition cannot be asked, whatever the question was.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// There is no such partition.
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    PartitionMissing {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// The number of partitions.
        count: u32,
    },
    /// The connection broke, or was never established: connect again.
    #[error("{what}: {reason}")]
    Disconnected {
        /// What the client was doing.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl PartitionError {
    /// Whether another attempt on a new connection can succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }

    /// `what` is the action that failed, such as `reading ticks/0`.
    pub(crate) fn disconnected(what: impl Display, reason: impl Display) -> Self {
        Self::Disconnected {
            what: what.to_string(),
            reason: reason.to_string(),
        }
    }
}
