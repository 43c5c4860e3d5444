//! Fits either model to labelled rows.

use linfa::traits::Fit;

use super::error::FitError;
use super::forest::ForestParams;
use super::logistic::LogisticParams;
use super::matrix::dataset_of;
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
        let dataset = dataset_of(part);
        let mut model = match self {
            Self::Forest(params) => Model::Forest(params.fit(&dataset)?.0),
            Self::Logistic(params) => Model::Logistic(params.fit(&dataset)?),
        };
        let (from, to) = part.range().unwrap_or_default();
        let info = model.info_mut();
        info.name = label.as_str().to_owned();
        info.trained_from_ms = from;
        info.trained_to_ms = to;
        Ok(model)
    }
}
