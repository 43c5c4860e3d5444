//! Learns models from `lake/features`, judges them on days they have not seen, and hands them over.
//!
//! Always true: what is evaluated is what serves. Every score here comes from `market::model`, the code that runs in the
//! broker; and the same rows, settings and seed give the same model, bit for bit, at any number of threads.
//!
//! - [`learn`] fits both models to rows, judges them, and leaves a [`Run`] (cargo feature `learn`, on by default)
//! - [`data`] reads rows, labels them and splits them by time
//! - [`model`] reads a model file and predicts with it
//! - [`evaluation`] measures predictions against labels
//! - [`tracking`] stores runs and model versions, on an MLflow server or in a folder
//! - [`promotion`] decides which version goes to production
//! - [`production`] finds the models in production, and how far the lake has drifted from what they know
//! - [`drift`] measures how far rows are from those a model was made with

pub mod data;
pub mod drift;
pub mod evaluation;
#[cfg(feature = "learn")]
pub mod learn;
pub mod model;
pub mod production;
pub mod promotion;
#[cfg(test)]
mod property;
mod run;
pub mod tracking;

pub use data::{Label, TimeRange};
#[cfg(feature = "learn")]
pub use learn::{
    NEWEST_DAY_METRIC, NewestDay, TrainError, TrainSettings, Trained, train, train_rows,
};
pub use run::{Artifact, Metric, Run, TrainedModel};
