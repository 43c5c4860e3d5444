//! Why an output topic cannot be written.

use connector_runtime::cluster::ClusterError;
use connector_runtime::reader::ReadError;
use connector_runtime::writer::WriteError;

/// Why an output topic cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// There is no connection.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An append failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Reading the last record failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The last record is not one of this stage.
    #[error(
        "the last record of {topic}/{partition} was not written by this stage: {reason}; a topic destination must have \
         no other writer: stop it, or choose another topic"
    )]
    Foreign {
        /// The output topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// What is wrong with the record.
        reason: String,
    },
    /// The appending task is gone.
    #[error("writing topic {0} ended unexpectedly, which is a bug; please report it")]
    Ended(String),
}

impl OutputError {
    /// Whether a later attempt can succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Cluster(error) => error.is_transient(),
            Self::Write(error) => error.is_transient(),
            Self::Read(error) => error.is_transient(),
            Self::Foreign { .. } | Self::Ended(_) => false,
        }
    }
}
