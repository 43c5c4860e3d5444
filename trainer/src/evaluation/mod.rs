//! Measures models on rows they have not seen, beside two baselines: the base rate, and the one input that alone ranks best.
//!
//! linfa's ROC curve is in f32 and its confusion matrix does not expose its counts; areas here are exact.
//!
//! - [`Ranking`]: everything that depends on the order of the scores alone
//! - [`BestInput`]: the baseline that is one input
//!
//! With the cargo feature `learn`:
//!
//! - `evaluate` measures a model on rows
//! - `auc_pr_intervals`: how much of an AUC-PR may be chance
//! - `Confusion`: counts at a threshold

mod best_input;
#[cfg(feature = "learn")]
mod bootstrap;
#[cfg(feature = "learn")]
mod calibration;
#[cfg(feature = "learn")]
mod confusion;
#[cfg(feature = "learn")]
mod evaluate;
mod ranking;

pub use best_input::BestInput;
#[cfg(feature = "learn")]
pub use bootstrap::{AucPrIntervals, Interval, auc_pr_intervals};
#[cfg(feature = "learn")]
pub use calibration::CalibrationBin;
#[cfg(feature = "learn")]
pub use confusion::Confusion;
#[cfg(feature = "learn")]
pub use evaluate::{Evaluation, evaluate};
pub use ranking::{Point, Ranking};
