//! Why a stage stops or retries.

use connector_runtime::cluster::ClusterError;
use connector_runtime::reader::ReadError;
use connector_runtime::topic::TopicError;
use lake::{CommitError, LakeError};

use crate::config::Share;
use crate::encode::FileError;
use crate::input::ModuleError;
use crate::output::OutputError;
use crate::recovery::Refusal;

/// Why a stage stops or retries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    /// There is no connection.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A topic cannot be created, or differs from the configuration.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Reading the input failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing an output topic failed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A SmartModule is missing or ambiguous.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The log of a table did not get an entry.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A file could not be built.
    #[error(transparent)]
    File(#[from] FileError),
    /// The input has changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// `meta.consumer.partition` names a partition that the topic lacks.
    #[error("{0}")]
    Partitions(String),
    /// None of the partitions that `meta.consumer.partition` names is this copy's.
    #[error(
        "copy {share} reads none of the partitions of {topic} that meta.consumer.partition names: copy I of N reads those \
         whose number modulo N is I; run one copy, or name others"
    )]
    NoneNamed {
        /// The copy.
        share: Share,
        /// The input topic.
        topic: String,
    },
    /// There are more copies of the stage than partitions.
    #[error(
        "copy {share} has no partition of {topic}, which has {partitions}: run at most {partitions} copies of this stage"
    )]
    NothingToDo {
        /// The copy.
        share: Share,
        /// The input topic.
        topic: String,
        /// Number of its partitions.
        partitions: u32,
    },
    /// The SmartModule does not give one output for every input.
    #[error(
        "{topic}/{partition}: expected the output made from input {expected}, got that of {found}: the SmartModule must give \
         exactly one output for every input, in order; set its parameter `emit` to `all`"
    )]
    NotOnePerInput {
        /// The input topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The input whose output should come next.
        expected: i64,
        /// The input whose output came.
        found: i64,
    },
    /// An output does not fit the configuration.
    #[error("{topic}/{partition}: the output made from input {offset} does not fit: {reason}")]
    BadOutput {
        /// The input topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The input.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// A commit was not finished when the partition had to stop or start over.
    #[error(
        "the last rows are not committed ({reason}); nothing is lost: they are computed again from the last commit"
    )]
    StoppedUncommitted {
        /// What prevented the commit.
        reason: String,
    },
    /// A task ended unexpectedly.
    #[error("a part of the stage ended unexpectedly, which is a bug: {0}; please report it")]
    Ended(String),
    /// A test ended the stage as if its process had been killed.
    #[error("killed by a test")]
    Killed,
}

impl StageError {
    /// An output topic did not acknowledge everything before the stage had to stop.
    pub(crate) fn not_acknowledged(topic: &str) -> Self {
        Self::StoppedUncommitted {
            reason: format!("topic {topic} did not acknowledge everything"),
        }
    }

    /// Whether a restart from the last commit, a little later, can succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Cluster(error) => error.is_transient(),
            Self::Topic(error) => error.is_transient(),
            Self::Read(error) => error.is_transient(),
            Self::Output(error) => error.is_transient(),
            Self::Module(error) => error.is_transient(),
            Self::Lake(error) | Self::Commit(CommitError::Lake(error)) => error.is_transient(),
            // The newest entry says where the position is.
            Self::Commit(
                CommitError::Overtaken { .. }
                | CommitError::Stale { .. }
                | CommitError::Conflict { .. },
            ) => true,
            _ => false,
        }
    }

    /// Whether the same attempt to write to the lake may succeed later.
    pub(crate) fn may_be_tried_again(&self) -> bool {
        match self {
            Self::Lake(error) | Self::Commit(CommitError::Lake(error)) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether a SmartModule did not start, or failed on a record.
    pub(crate) fn is_a_modules_fault(&self) -> bool {
        matches!(self, Self::Read(ReadError::ModuleFailed { .. }))
    }
}
