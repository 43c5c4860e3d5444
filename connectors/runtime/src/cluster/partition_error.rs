//! Why the leader of a partition cannot be asked.

use std::fmt::Display;

/// Why the leader of a partition cannot be asked, whatever the question was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PartitionError {
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    TopicMissing { topic: String },
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    PartitionMissing {
        topic: String,
        partition: u32,
        count: u32,
    },
    #[error("{what}: {reason}")]
    Disconnected { what: String, reason: String },
}

impl PartitionError {
    /// `what` is the action that failed, such as `reading ticks/0`.
    pub(crate) fn disconnected(what: impl Display, reason: impl Display) -> Self {
        Self::Disconnected {
            what: what.to_string(),
            reason: reason.to_string(),
        }
    }
}
