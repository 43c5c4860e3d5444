//! A random forest on binned inputs, behind linfa's traits.
//!
//! linfa-trees scans all rows for every feature of every node, treats values closer than 1e-5 as equal, and lets each leaf
//! vote by majority. Here a node scans only its own rows, the bins are those of [`market::model::Forest`], and a leaf
//! predicts its share of true rows, shrunk towards the shares of the nodes above it.
//!
//! Always true: the same rows, settings and seed give the same forest, bit for bit, on any number of threads. Each tree
//! has its own stream of random numbers, and the trees keep their order.
//!
//! - [`ForestParams`] are the settings
//! - `bins` turns inputs into bins, `lots` says what a bootstrap draws from, `tree` grows one tree on them, `fit` grows them all

mod bins;
mod fit;
mod lots;
mod params;
mod tree;

pub use params::ForestParams;
