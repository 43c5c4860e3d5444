//! A random forest on binned inputs, behind linfa's traits.
//!
//! linfa-trees scans all rows for every feature of every node, takes values closer than 1e-5 for equal, and lets the
//! majority of a leaf vote; here a node costs its own rows, bins are those of [`market::model::Forest`], and a leaf
//! answers with its share of positives, drawn towards those of the nodes above it.
//!
//! Always true: the same rows, settings and seed give the same forest, bit for bit, at any number of threads. Tree number
//! n has its own stream of random numbers, and trees are put together in their order.
//!
//! - [`ForestParams`] are the settings, [`FittedForest`] is the result
//! - `bins` turns inputs into bins, `tree` grows one tree on them, `fit` grows them all

mod bins;
mod fit;
mod params;
mod tree;

pub use fit::FittedForest;
pub use params::ForestParams;
