//! What is known about a model besides its numbers.

use super::{INPUTS, Inputs, ModelError};

/// Where a model comes from. Its inputs are [`INPUTS`]: a file with others is not read.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// Its registered name.
    pub name: String,
    /// Its registered version; 0 before it is registered.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// What stands for an absent input: medians of the training rows.
    pub fill: Inputs,
    /// The first event_time of the training rows, in milliseconds since the epoch.
    pub trained_from_ms: i64,
    /// The last one.
    pub trained_to_ms: i64,
    /// Training rows.
    pub rows: u64,
    /// From which probability on the answer counts as yes; chosen on the training rows.
    pub threshold: f64,
}

impl ModelInfo {
    /// `name/version`, as predictions name it.
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Whether a model can answer with this.
    pub(super) fn check(&self, model: &'static str) -> Result<(), ModelError> {
        match self.fill.iter().position(|fill| !fill.is_finite()) {
            None => Ok(()),
            Some(place) => Err(ModelError::Unsound {
                model,
                what: format!(
                    "has nothing finite to stand for an absent {}",
                    INPUTS[place]
                ),
            }),
        }
    }
}
