//! Features: each clean tick with the statistics of the sliding windows that end at it.
//!
//! - [`Featurizer`] takes the ticks of a partition
//! - `series` holds the recent ticks of one coin and computes the features
//! - `point` is one of these ticks
//! - `summary` sums up stretches of ticks
//! - `returns` adds up their squared log_returns
//! - `strides` estimates the volume traded lately

mod featurizer;
mod point;
mod returns;
mod series;
mod strides;
mod summary;

pub use featurizer::{FeatureParams, Featurizer};
pub(crate) use series::BASELINE_SAMPLES;
