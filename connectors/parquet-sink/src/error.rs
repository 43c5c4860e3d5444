//! What can go wrong in a stage.

use connector_runtime::cluster::ClusterError;
use connector_runtime::reader::ReadError;
use connector_runtime::topic::TopicError;

use crate::file::{CommitError, FileError};
use crate::modules::ModuleError;
use crate::outputs::OutputError;
use crate::recover::Refusal;
use crate::share::Share;
use lake::LakeError;

/// Why a stage does not go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// No connection.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A topic is not as it should be.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// Reading failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Writing an output topic failed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A SmartModule is missing.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The lake's trouble.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A file did not get its place.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A file could not be built.
    #[error(transparent)]
    File(#[from] FileError),
    /// The input is not what it was.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// `meta.consumer.partition` does not fit the topic.
    #[error("{0}")]
    Partitions(String),
    /// More copies than partitions.
    #[error(
        "copy {share} has no partition of {topic}, which has {partitions}: run at most {partitions} copies of this stage"
    )]
    NothingToDo {
        /// What this copy was told.
        share: Share,
        /// The input topic.
        topic: String,
        /// How many partitions it has.
        partitions: u32,
    },
    /// The module does not answer every input once.
    #[error(
        "{topic}/{partition}: expected the output made from input {expected}, got that of {found}: the module must give \
         exactly one output for every input, in order; set its parameter `emit` to `all`"
    )]
    NotOnePerInput {
        /// The input topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// The input whose turn it was.
        expected: i64,
        /// The one that came.
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
    /// The stage was told to stop while a commit could not be finished.
    #[error(
        "stopped before the last rows were committed ({reason}); nothing is lost, the next start makes them again"
    )]
    StoppedUncommitted {
        /// What was in the way.
        reason: String,
    },
    /// A put of ours that had looked failed took effect after all.
    #[error("{path} was created by an earlier try of this run; going on from it")]
    Overtaken {
        /// The file.
        path: String,
    },
    /// A task ended in a way it should not.
    #[error("a part of the stage ended unexpectedly, which is a bug: {0}")]
    Ended(String),
    /// A test ended the stage as if its process had been killed.
    #[error("killed by a test")]
    Killed,
}

impl StageError {
    /// Whether beginning again from the last commit, a little later, can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Cluster(e) => e.is_transient(),
            Self::Topic(e) => e.is_transient(),
            Self::Read(e) => e.is_transient(),
            Self::Output(e) => e.is_transient(),
            Self::Module(e) => e.is_transient(),
            Self::Lake(e) | Self::Commit(CommitError::Lake(e)) => e.is_transient(),
            Self::Overtaken { .. } => true,
            _ => false,
        }
    }

    /// Whether a SmartModule did not start, or failed on a record.
    pub fn is_a_modules_fault(&self) -> bool {
        matches!(self, Self::Read(ReadError::ModuleFailed { .. }))
    }
}
