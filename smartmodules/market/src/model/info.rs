//! What a model says about itself besides its numbers.

use super::error::ModelError;
use super::inputs::{INPUTS, Inputs};

/// Registered name and label of the forest: an episode of warnings or worse begins within 15 minutes.
pub const ANOMALY_AHEAD: &str = "anomaly_ahead";

/// Registered name and label of the logistic regression: a higher price 15 minutes later.
pub const TREND_UP: &str = "trend_up";

/// Where a model comes from. Its inputs are [`INPUTS`]: a file with other inputs is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Its registered name.
    pub name: String,
    /// Its registered version; 0 before it is registered.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// The version of the features it was trained on. A file of another one than [`FEATURES_VERSION`](crate::FEATURES_VERSION)
    /// is refused.
    pub features_version: u32,
    /// The values that stand for absent inputs: medians of the training rows.
    pub fill: Inputs,
    /// The first event_time of the training rows, in milliseconds since the epoch.
    pub trained_from_ms: i64,
    /// The last one.
    pub trained_to_ms: i64,
    /// The number of training rows.
    pub rows: u64,
    /// A probability of at least this counts as a positive prediction; chosen on the training rows.
    pub threshold: f64,
}

impl ModelInfo {
    /// `name/version`, as predictions name it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Checks that every absent input has a finite value to stand for it.
    pub(super) fn check(&self, model: &'static str) -> Result<(), ModelError> {
        match self.fill.iter().position(|fill| !fill.is_finite()) {
            None => Ok(()),
            Some(place) => Err(ModelError::Unsound {
                model,
                what: format!("has no finite value for an absent {}", INPUTS[place]),
            }),
        }
    }
}
