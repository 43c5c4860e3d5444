//! The result of a training, independent of where it will be stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A finished training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// The settings: seed, trees, range and the like.
    pub params: BTreeMap<String, String>,
    /// The measurements.
    pub metrics: Vec<Metric>,
    /// Facts about the run: git commit, data range, rows.
    pub tags: BTreeMap<String, String>,
    /// Files: pictures, the model card, `drift/reference.json`; not the models.
    pub artifacts: Vec<Artifact>,
    /// The models, at most one of each name.
    pub models: Vec<TrainedModel>,
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name, `anomaly_ahead/auc_roc`.
    pub name: String,
    /// The value; finite, because what could not be measured is left out.
    pub value: f64,
    /// The index in a series; 0 for a single value.
    pub step: i64,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its path in the run, with folders: `pictures/anomaly_ahead/roc.svg`.
    pub path: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// A file with these contents.
    pub fn new(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            bytes,
        }
    }
}

/// A model that can be registered and served.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedModel {
    /// The name it is registered under, which is its label's: `anomaly_ahead` or `trend_up`.
    pub name: String,
    /// The model file, in `market::model`'s format; its version is 0 until it is registered.
    pub bytes: Vec<u8>,
    /// The metrics that promotion uses; also among the run's metrics.
    pub metrics: BTreeMap<String, f64>,
}
