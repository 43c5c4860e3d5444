//! The two models behind one face: fitted, asked, and written as the files that serve.

use linfa::dataset::Dataset;
use linfa::traits::Fit;
use market::model::{Forest, ForestWalk, Inputs, Logistic, ModelError, ModelInfo};
use ndarray::Array2;

use crate::data::{Label, Part};
use crate::forest::{FitError, ForestParams};
use crate::logistic::LogisticParams;
use crate::matrix::rows_of;

/// What is to be fitted.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelParams {
    /// A random forest.
    Forest(ForestParams),
    /// A logistic regression.
    Logistic(LogisticParams),
}

/// A fitted model, as it will serve.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// A random forest.
    Forest(Forest),
    /// A logistic regression.
    Logistic(Logistic),
}

impl ModelParams {
    /// Fits a model to rows.
    ///
    /// # Errors
    /// When the settings or the rows make no model.
    pub fn fit(&self, label: Label, part: &Part) -> Result<Model, FitError> {
        let dataset = Dataset::new(part.inputs.clone(), part.labels.clone());
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

impl Model {
    /// The probability of yes for each row.
    ///
    /// # Panics
    /// When the matrix is not one that models take.
    pub fn probabilities(&self, inputs: &Array2<f64>) -> Vec<f64> {
        let rows = rows_of(inputs).expect("a matrix of the models' inputs");
        self.probabilities_of(rows)
    }

    /// The probability of yes for each row.
    pub fn probabilities_of(&self, rows: &[Inputs]) -> Vec<f64> {
        match self {
            Self::Forest(forest) => ForestWalk::new(forest).probabilities(rows),
            Self::Logistic(logistic) => rows.iter().map(|row| logistic.probability(row)).collect(),
        }
    }

    /// What is known about it.
    pub fn info(&self) -> &ModelInfo {
        match self {
            Self::Forest(forest) => &forest.info,
            Self::Logistic(logistic) => &logistic.info,
        }
    }

    /// What is known about it, to be changed.
    pub fn info_mut(&mut self) -> &mut ModelInfo {
        match self {
            Self::Forest(forest) => &mut forest.info,
            Self::Logistic(logistic) => &mut logistic.info,
        }
    }

    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Forest(forest) => forest.to_bytes(),
            Self::Logistic(logistic) => logistic.to_bytes(),
        }
    }

    /// Reads the model file of a label.
    ///
    /// # Errors
    /// When it is no model of this version, or of another kind.
    pub fn from_bytes(label: Label, file: &[u8]) -> Result<Self, ModelError> {
        match label {
            Label::AnomalyAhead => Forest::from_bytes(file).map(Self::Forest),
            Label::TrendUp => Logistic::from_bytes(file).map(Self::Logistic),
        }
    }
}
