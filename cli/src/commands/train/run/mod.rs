//! `coinlake train run`: from the lake to registered models, once or regularly.
//!
//! - [`args`]: its arguments
//! - [`command`]: trains once, or again and again
//! - [`training`]: one training, from rows to a run
//! - [`register`]: registers the models of a run and decides on their promotion
//! - [`report`]: the result of a training
//! - [`status`]: probes and metrics of regular training
//! - [`drift`]: how well the models in production still fit the market

mod args;
mod command;
mod drift;
mod register;
mod report;
mod status;
mod training;

pub(crate) use args::RunArgs;
pub(crate) use command::run;
