//! Fits a model to labelled rows: the same rows, settings and seed give the same model, bit for bit, on any number of threads.
//!
//! - [`ModelParams`]: either model, for one label
//! - [`ForestParams`]: a random forest on binned inputs
//! - [`LogisticParams`]: a logistic regression on scaled inputs
//! - [`FitError`]: why there is no model
//! - `matrix`: rows as linfa wants them

mod error;
mod forest;
mod logistic;
mod matrix;
mod model;

pub use error::FitError;
pub use forest::ForestParams;
pub use logistic::LogisticParams;
pub use model::ModelParams;
