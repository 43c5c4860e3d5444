//! Why a topic cannot be used.

use crate::cluster::ClusterError;
use crate::cluster::partition_error::PartitionError;

/// Why a topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// There is no connection to the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    Missing {
        /// Its name.
        topic: String,
    },
    /// It exists with another number of partitions.
    #[error(
        "topic {topic} has {count} partitions, but the configuration asks for {wanted}: set the count to {count}, or delete the \
         topic so that it is created again"
    )]
    OtherPartitionCount {
        /// Its name.
        topic: String,
        /// The number of its partitions.
        count: u32,
        /// The number in the configuration.
        wanted: u32,
    },
    /// It is made from another topic, which has another number of partitions.
    #[error(
        "the partition count of topic {topic} is {count}, but that of its input {input} is {wanted}: delete {topic} \
         (fluvio topic delete {topic}) and start again, which creates it with {wanted}"
    )]
    OtherThanInput {
        /// Its name.
        topic: String,
        /// The number of its partitions.
        count: u32,
        /// The topic that it is made from.
        input: String,
        /// The number of that one's partitions.
        wanted: u32,
    },
    /// The cluster refuses to create it.
    #[error("topic {topic} cannot be created: {reason}")]
    NotCreated {
        /// Its name.
        topic: String,
        /// What the cluster said.
        reason: String,
    },
    /// The cluster has not assigned all partitions in time.
    #[error(
        "topic {topic} still has partitions without a leader after {waited_secs} s: look at `fluvio topic describe {topic}` and \
         `fluvio cluster spu list`; often there are fewer SPUs than replicas"
    )]
    NotReady {
        /// Its name.
        topic: String,
        /// The time waited.
        waited_secs: u64,
    },
    /// The connection broke: connect again.
    #[error("{what}: {reason}")]
    Disconnected {
        /// What the client was doing.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl TopicError {
    /// Whether trying again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Cluster(error) => error.is_transient(),
            Self::Disconnected { .. } | Self::NotReady { .. } => true,
            Self::Missing { .. }
            | Self::OtherPartitionCount { .. }
            | Self::OtherThanInput { .. }
            | Self::NotCreated { .. } => false,
        }
    }
}

impl From<PartitionError> for TopicError {
    fn from(error: PartitionError) -> Self {
        match error {
            PartitionError::TopicMissing { topic }
            | PartitionError::PartitionMissing { topic, .. } => Self::Missing { topic },
            PartitionError::Disconnected { what, reason } => Self::Disconnected { what, reason },
        }
    }
}
