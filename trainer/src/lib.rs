//! Learns models from `lake/features`, judges them on days they have not seen, and hands them over.
//!
//! Always true: what is evaluated is what serves. Every score here comes from `market::model`, the code that runs in the
//! broker; and the same rows, settings and seed give the same model, bit for bit, at any number of threads.
//!
//! * [`run`] is what a training leaves: parameters, metrics, pictures and models;
//! * [`tracking`] keeps runs and model versions, in an MLflow server or in a folder.

pub mod run;
pub mod tracking;

pub use run::{Artifact, Metric, Run, TrainedModel};
