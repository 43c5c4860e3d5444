//! What to train, and on which rows.

use super::fit::{ForestParams, LogisticParams, ModelParams};
use crate::data::{Label, TimeRange};

/// What to train, and on which rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// The lake's folder or URL.
    pub lake: String,
    /// The times of the rows to use.
    pub range: TimeRange,
    /// Settings of `anomaly_ahead`. The seed also decides the shuffles of the importances.
    pub forest: ForestParams,
    /// Settings of `trend_up`.
    pub logistic: LogisticParams,
}

impl TrainSettings {
    /// Default settings, on all rows of a lake.
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
