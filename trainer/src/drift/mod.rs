//! Drift: how far the inputs and scores of other rows are from those a model was made with.
//!
//! The population stability index compares shares of rows in bins whose edges are deciles of the reference:
//! PSI = sum of (actual - expected) * ln(actual / expected). What is absent has a bin of its own. By custom below 0.1 is
//! steady, and from 0.25 on the model deserves a look.
//!
//! Inputs are compared with the rows fitted on. Scores are compared with those of the rows tested on: a forest is surer of
//! rows it was fitted on than of any it will ever see again.
//!
//! - [`Distribution`]: the shares of rows by bin, and the index
//! - [`Reference`]: the distributions of a run

mod distribution;
mod reference;

pub use distribution::{Distribution, PSI_NOTABLE};
pub use reference::{DriftError, REFERENCE_PATH, Reference};
