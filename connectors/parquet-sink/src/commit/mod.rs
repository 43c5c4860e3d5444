//! How a partition's work becomes durable.
//!
//! - `cut` decides when to close the files of all tables at one input offset Q.
//! - `tables` are the tables of a stage, and what a cut adds to them.
//! - `steps` are the steps of the commit of a cut, in the order that a restart relies on.
//! - `under_way` runs a commit beside the pipeline.

mod cut;
mod steps;
mod tables;
mod under_way;

pub use cut::EMPTY_COMMIT_INTERVAL;
pub(crate) use cut::{Cause, SinceCut};
pub(crate) use steps::{Commit, Committed, OutputAtCut, STOP_TIMEOUT};
pub use tables::table_spec;
pub(crate) use tables::{Cut, StageTable};
pub(crate) use under_way::UnderWay;
