//! Settings of a forest.

use std::num::NonZero;

use crate::learn::fit::error::FitError;

/// Rows at most: their counts fit 32 bits, however the bootstrap draws.
const ROWS_MAX: usize = (u32::MAX / 256) as usize;

/// What a forest is to be like.
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParams {
    /// How many trees.
    pub trees: u32,
    /// How many splits lie between root and leaf, at most.
    pub depth_max: u32,
    /// How many different rows a leaf has, at least.
    pub leaf_rows_min: u32,
    /// How far a node's answer is drawn towards its parent's: as if the parent's share stood in so many rows besides.
    /// (Hierarchical shrinkage, Agarwal and others 2022.) 0 lets a leaf answer with its own share alone. Rows of
    /// neighbouring minutes share most of their future, so the rows of a leaf say less than they seem to.
    pub shrinkage: f64,
    /// Decides every draw.
    pub seed: u64,
    /// How many threads a training runs on; all cores unless told otherwise.
    pub threads: Option<NonZero<usize>>,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self {
            trees: 100,
            depth_max: 12,
            leaf_rows_min: 20,
            shrinkage: 400.0,
            seed: 1,
            threads: None,
        }
    }
}

impl ForestParams {
    pub(super) fn check(&self, rows: usize) -> Result<(), FitError> {
        let setting = |what, value, expected| {
            Err(FitError::Setting {
                what,
                value,
                expected,
            })
        };
        if !(1..=10_000).contains(&self.trees) {
            return setting("trees:", self.trees.into(), "1 to 10000");
        }
        // A tree of depth 15 has at most 65,535 nodes, what the model file counts to.
        if !(1..=15).contains(&self.depth_max) {
            return setting("a depth of", self.depth_max.into(), "1 to 15");
        }
        if self.leaf_rows_min == 0 {
            return setting("leaves of rows:", 0.0, "1 or more");
        }
        if !(0.0..=1e9).contains(&self.shrinkage) {
            return setting("a shrinkage of", self.shrinkage, "0 to 1e9");
        }
        if !(1..=ROWS_MAX).contains(&rows) {
            let problem = format!("there are {rows}, 1 to {ROWS_MAX} are needed");
            return Err(FitError::Shape(problem));
        }
        Ok(())
    }
}
