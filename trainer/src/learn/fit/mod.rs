//! Fits the models.
//!
//! - [`ForestParams`]: a random forest on binned inputs
//! - [`LogisticParams`]: a logistic regression on scaled inputs
//! - [`ModelParams`]: either of them

mod error;
mod forest;
mod logistic;
mod matrix;
mod model;
mod threads;

pub use error::FitError;
pub use forest::{FittedForest, ForestParams};
pub use logistic::LogisticParams;
pub use model::ModelParams;

pub(super) use threads::on_threads;
