//! Errors of fitting.

use market::model::ModelError;

/// Why a model could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// linfa refused the rows.
    #[error("the rows cannot be fitted")]
    Linfa(#[from] linfa::Error),
    /// linfa's logistic regression did not converge, or refused the labels.
    #[error("the logistic regression found no weights")]
    Logistic(#[from] linfa_logistic::error::Error),
    /// The number of rows, inputs or labels is wrong.
    #[error("the rows cannot be fitted: {0}")]
    Shape(String),
    /// A setting is out of range.
    #[error("a forest cannot have {what} {value}: give {expected}")]
    Setting {
        /// The setting, as the sentence needs it.
        what: &'static str,
        /// The value that was given.
        value: f64,
        /// The range allowed.
        expected: &'static str,
    },
    /// The fitted parts make no valid model.
    #[error(transparent)]
    Model(#[from] ModelError),
}
