//! How good a model is, on rows it has not seen, next to two who know nothing of it: the base rate, and the rule
//! |zscore_15m|.
//!
//! linfa has a ROC curve and a confusion matrix, in f32 and with counts that cannot be read; areas here are exact.
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
