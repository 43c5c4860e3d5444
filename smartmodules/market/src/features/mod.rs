//! Features: each clean tick with the statistics of the sliding windows that end at it.
//!
//! - [`Featurizer`] takes the ticks of a partition
//! - `series` holds the recent ticks of one coin and computes the features
//! - `summary` sums up stretches of ticks

mod featurizer;
mod series;
mod summary;

pub use featurizer::{FeatureParams, Featurizer};
