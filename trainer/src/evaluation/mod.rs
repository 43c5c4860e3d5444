//! Measures models on rows they have not seen, beside two baselines: the base rate, and the one input that alone ranks best.
//!
//! linfa's ROC curve is in f32 and its confusion matrix does not expose its counts; areas here are exact.
//!
//! - [`Ranking`]: everything that depends on the order of the scores alone
//! - [`BestInput`]: the baseline that is one input
//! - [`evaluate`](evaluate()) measures a model on rows
//! - [`auc_pr_intervals`]: how much of an AUC-PR may be chance
//! - [`Confusion`]: counts at a threshold

mod best_input;
mod bootstrap;
mod calibration;
mod confusion;
mod evaluate;
mod ranking;

pub use best_input::BestInput;
pub use bootstrap::{AucPrIntervals, Interval, auc_pr_intervals};
pub use calibration::CalibrationBin;
pub use confusion::Confusion;
pub use evaluate::{Evaluation, evaluate};
pub use ranking::{Point, Ranking};
