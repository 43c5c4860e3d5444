//! Fits either model to labelled rows.

use super::error::FitError;
use super::forest::ForestParams;
use super::logistic::LogisticParams;
use crate::data::{Label, Part};
use crate::model::Model;

/// Which model to fit, and how.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelParams {
    /// A random forest.
    Forest(ForestParams),
    /// A logistic regression.
    Logistic(LogisticParams),
}

impl ModelParams {
    /// Fits a model to rows.
    ///
    /// # Errors
    /// When a setting is out of range, or the rows cannot be fitted.
    pub fn fit(&self, label: Label, part: &Part) -> Result<Model, FitError> {
        self.fit_with(label, part, &|| ())
    }

    /// The number of parts in which a fit is done.
    pub(in crate::learn) fn parts(&self) -> u64 {
        match self {
            Self::Forest(params) => params.trees.into(),
            Self::Logistic(_) => 1,
        }
    }

    /// Fits a model to rows; calls `part_done` after each part.
    pub(in crate::learn) fn fit_with(
        &self,
        label: Label,
        part: &Part,
        part_done: &(dyn Fn() + Sync),
    ) -> Result<Model, FitError> {
        let Part {
            inputs,
            labels,
            weights,
            ..
        } = part;
        let mut model = match self {
            Self::Forest(params) => {
                Model::Forest(params.fit_rows(inputs, labels, *weights, part_done)?)
            }
            Self::Logistic(params) => Model::Logistic(params.fit_rows(inputs, labels, *weights)?),
        };
        let (from, to) = part.range().unwrap_or_default();
        let info = model.info_mut();
        info.name = label.as_str().to_owned();
        info.trained_from_ms = from;
        info.trained_to_ms = to;
        Ok(model)
    }
}
