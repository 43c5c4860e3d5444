//! Either of the two models: reads its file, predicts, and writes it.

use market::model::{Forest, ForestWalk, Inputs, Logistic, ModelError, ModelInfo};

use crate::data::Label;

/// A fitted model, as it serves.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// A random forest.
    Forest(Forest),
    /// A logistic regression.
    Logistic(Logistic),
}

impl Model {
    /// The probability of a true label for each row.
    pub fn probabilities(&self, rows: &[Inputs]) -> Vec<f64> {
        match self {
            Self::Forest(forest) => ForestWalk::new(forest).probabilities(rows),
            Self::Logistic(logistic) => rows.iter().map(|row| logistic.probability(row)).collect(),
        }
    }

    /// Its name, version, training range and threshold.
    pub fn info(&self) -> &ModelInfo {
        match self {
            Self::Forest(forest) => &forest.info,
            Self::Logistic(logistic) => &logistic.info,
        }
    }

    /// Its name, version, training range and threshold, to be changed.
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
    /// When the bytes are not a model file of this format version, or hold the other kind of model.
    pub fn from_bytes(label: Label, file: &[u8]) -> Result<Self, ModelError> {
        match label {
            Label::AnomalyAhead => Forest::from_bytes(file).map(Self::Forest),
            Label::TrendUp => Logistic::from_bytes(file).map(Self::Logistic),
        }
    }
}
