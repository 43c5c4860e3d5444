//! `coinlake health`: is everything there, and how far is each stage?
//!
//! - [`command`]: its arguments; checks once or again and again
//! - [`checker`]: finds out
//! - [`models`]: the part about models: the MLflow server and drift
//! - [`report`]: what was found
//! - [`screen`]: the report for people

mod checker;
mod command;
mod models;
mod report;
mod screen;

pub(crate) use command::{HealthArgs, run};
