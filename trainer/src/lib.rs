//! Trains models on `lake/features`, evaluates them on days they have not seen, tracks and promotes them.
//!
//! Always true: the code that is evaluated is the code that serves. Every prediction here comes from `market::model`, which
//! also runs in the broker. The same rows, settings and seed give the same model, bit for bit, on any number of threads.
//!
//! - [`learn`] fits and evaluates both models, and returns a [`Run`]
//! - [`data`] reads rows, labels them, and splits them by time
//! - [`model`] reads a model file and predicts with it
//! - [`evaluation`] compares predictions with labels
//! - [`tracking`] stores runs and model versions, on an MLflow server or in a folder
//! - [`promotion`] decides which version goes to production
//! - [`production`] finds the models in production, and how far the lake has drifted from what they know
//! - [`drift`] measures how far rows are from those that a model was trained on

pub mod data;
pub mod drift;
pub mod evaluation;
pub mod learn;
pub mod model;
pub mod production;
pub mod promotion;
#[cfg(test)]
mod property;
mod run;
pub mod tracking;

pub use data::{Label, TimeRange};
pub use learn::{
    NEWEST_DAY_METRIC, NewestDay, TrainError, TrainSettings, Trained, train, train_rows,
};
pub use run::{Artifact, Metric, Run, TrainedModel};
