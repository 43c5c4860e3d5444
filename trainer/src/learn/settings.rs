//! What to train, and on which rows.

use std::num::NonZero;

use super::fit::{ForestParams, LogisticParams, ModelParams};
use crate::data::{Label, TimeRange};

/// What to train, and on which rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// The lake's folder or URL.
    pub lake: String,
    /// The times of the rows to use.
    pub range: TimeRange,
    /// Settings of `anomaly_ahead`. The seed also decides the samples, and the shuffles of the importances.
    pub forest: ForestParams,
    /// Settings of `trend_up`.
    pub logistic: LogisticParams,
    /// The most rows to fit a model on. Of more a sample is drawn: all of a rare label, fewer others.
    pub fit_rows_max: usize,
    /// The most rows to test a model on, drawn in the same way. The measurements are those of the market.
    pub test_rows_max: usize,
    /// The number of threads; `None`: all cores.
    pub threads: Option<NonZero<usize>>,
}

impl TrainSettings {
    /// Default settings, on all rows of a lake.
    pub fn of_lake(lake: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            range: TimeRange::default(),
            forest: ForestParams::default(),
            logistic: LogisticParams::default(),
            fit_rows_max: 500_000,
            test_rows_max: 500_000,
            threads: None,
        }
    }

    pub(super) fn model(&self, label: Label) -> ModelParams {
        match label {
            Label::AnomalyAhead => ModelParams::Forest(self.forest.clone()),
            Label::TrendUp => ModelParams::Logistic(self.logistic.clone()),
        }
    }
}
