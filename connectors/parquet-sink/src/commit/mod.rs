//! How a partition's work becomes durable.
//!
//! - `cut` decides when to close all files at one input offset Q.
//! - `files` are the files of a cut.
//! - `steps` are the steps of the commit of a cut, in the order that a restart relies on.
//! - `under_way` runs a commit beside the pipeline.
//! - `place` puts one file into the lake, once.

mod cut;
mod files;
mod place;
mod steps;
mod under_way;

pub use cut::EMPTY_COMMIT_INTERVAL;
pub(crate) use cut::{Cause, SinceCut};
pub(crate) use files::{CutFiles, EmptyMain, MainFile};
pub(crate) use place::CommitError;
pub(crate) use steps::{Commit, Committed, OutputAtCut, STOP_TIMEOUT};
pub(crate) use under_way::UnderWay;
