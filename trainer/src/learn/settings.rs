//! What to train, and on which rows.

use super::fit::{ForestParams, LogisticParams, ModelParams};
use crate::data::{Label, TimeRange};

/// What to train, on what.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// The lake's folder or URL.
    pub lake: String,
    /// The rows to use.
    pub range: TimeRange,
    /// For `anomaly_ahead`. Its seed also decides the shuffles of the importances.
    pub forest: ForestParams,
    /// For `trend_up`.
    pub logistic: LogisticParams,
}

impl TrainSettings {
    /// The usual models on all of a lake.
    pub fn of_lake(lake: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            range: TimeRange::default(),
            forest: ForestParams::default(),
            logistic: LogisticParams::default(),
        }
    }

    pub(super) fn model(&self, label: Label) -> ModelParams {
        match label {
            Label::AnomalyAhead => ModelParams::Forest(self.forest.clone()),
            Label::TrendUp => ModelParams::Logistic(self.logistic.clone()),
        }
    }
}
