//! Drift: how far the inputs and scores of other rows are from those a model was trained with.
//!
//! The population stability index compares shares of rows in bins whose edges are deciles of the reference:
//! PSI = sum of (actual - expected) * ln(actual / expected). Absent values have a bin of their own. By convention a PSI below
//! 0.1 means no change, and one of [`PSI_NOTABLE`] or more that the model should be checked.
//!
//! Inputs are compared with the rows fitted on. Scores are compared with the rows tested on: a forest is more certain about
//! rows it was fitted on than about any other.
//!
//! - [`Distribution`]: the shares of rows by bin, and the index
//! - [`Reference`]: the distributions of a run

mod distribution;
mod reference;

pub use distribution::{Distribution, PSI_NOTABLE};
pub use reference::{DriftError, REFERENCE_PATH, Reference};
