//! Measures models on rows they have not seen, beside two baselines: the base rate, and the rule |zscore_15m|.
//!
//! linfa's ROC curve is in f32 and its confusion matrix does not expose its counts; areas here are exact.
//!
//! - [`evaluate`] measures a model on rows
//! - [`Ranking`]: everything that depends on the order of the scores alone
//! - [`Confusion`]: counts at a threshold

mod calibration;
mod confusion;
mod evaluate;
mod ranking;

pub use calibration::CalibrationBin;
pub use confusion::Confusion;
pub use evaluate::{Evaluation, evaluate};
pub use ranking::{Point, Ranking};

pub(crate) use evaluate::rule_scores;
