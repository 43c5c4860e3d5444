//! A random forest on binned inputs, behind linfa's traits.
//!
//! linfa-trees scans all rows for every feature of every node, takes values closer than 1e-5 for equal, and lets the
//! majority of a leaf vote; here a node costs its own rows, bins are those of [`market::model::Forest`], and a leaf
//! answers with its share of positives.
//!
//! Always true: the same rows, settings and seed give the same forest, bit for bit, at any number of threads. Tree number
//! n has its own stream of random numbers, and trees are put together in their order.

mod bins;
mod tree;

use std::num::NonZero;

use linfa::dataset::DatasetBase;
use linfa::traits::{Fit, PredictInplace};
use market::model::{Forest, Inputs, ModelError, ModelInfo};
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::matrix::{fill_of, filled, rows_of};
use tree::{Grower, Limits};

/// Rows at most: their counts fit 32 bits, however the bootstrap draws.
const ROWS_MAX: usize = (u32::MAX / 256) as usize;

/// What a forest is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForestParams {
    /// How many trees.
    pub trees: u32,
    /// How many splits lie between root and leaf, at most.
    pub depth_max: u32,
    /// How many different rows a leaf has, at least.
    pub leaf_rows_min: u32,
    /// Decides every draw.
    pub seed: u64,
    /// How many threads grow trees; all cores unless told otherwise.
    pub threads: Option<NonZero<usize>>,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self {
            trees: 100,
            depth_max: 12,
            leaf_rows_min: 20,
            seed: 1,
            threads: None,
        }
    }
}

/// Why no model came of a fit.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// What linfa found.
    #[error("the rows cannot be fitted: {0}")]
    Linfa(#[from] linfa::Error),
    /// What its logistic regression found.
    #[error("the logistic regression found no weights: {0}")]
    Logistic(#[from] linfa_logistic::error::Error),
    /// The numbers of rows, inputs or labels.
    #[error("the rows cannot be fitted: {0}")]
    Shape(String),
    /// A setting.
    #[error("a forest cannot have {what} {value}: give {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: u32,
        /// What is possible.
        expected: &'static str,
    },
    /// Its parts don't fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// No threads to be had.
    #[error("cannot start threads to fit with: {0}; give fewer")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl ForestParams {
    fn check(&self, rows: usize) -> Result<(), FitError> {
        let setting = |what, value, expected| {
            Err(FitError::Setting {
                what,
                value,
                expected,
            })
        };
        if !(1..=10_000).contains(&self.trees) {
            return setting("trees:", self.trees, "1 to 10000");
        }
        // A tree of depth 15 has at most 65,535 nodes, what the model file counts to.
        if !(1..=15).contains(&self.depth_max) {
            return setting("a depth of", self.depth_max, "1 to 15");
        }
        if self.leaf_rows_min == 0 {
            return setting("leaves of rows:", 0, "1 or more");
        }
        if !(1..=ROWS_MAX).contains(&rows) {
            let problem = format!("there are {rows}, 1 to {ROWS_MAX} are needed");
            return Err(FitError::Shape(problem));
        }
        Ok(())
    }
}

/// A forest that can be asked through linfa; inside it is the one that serves.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedForest(pub Forest);

impl Fit<Array2<f64>, Array1<bool>, FitError> for ForestParams {
    type Object = FittedForest;

    fn fit(
        &self,
        dataset: &DatasetBase<Array2<f64>, Array1<bool>>,
    ) -> Result<FittedForest, FitError> {
        let labels = dataset.targets.as_slice();
        let labels = labels.ok_or_else(|| FitError::Shape("labels do not lie in order".into()))?;
        let rows = rows_of(&dataset.records)?;
        if labels.len() != rows.len() {
            let problem = format!("{} rows have {} labels", rows.len(), labels.len());
            return Err(FitError::Shape(problem));
        }
        self.check(rows.len())?;

        let fill = fill_of(rows);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.map_or(0, NonZero::get))
            .build()?;
        let (edges, trees) = pool.install(|| {
            let rows = filled(rows, &fill);
            let edges = bins::edges(&rows);
            let bins = bins::bins(&rows, &edges);
            let limits = Limits {
                depth_max: self.depth_max,
                leaf_rows_min: self.leaf_rows_min,
            };
            let trees: Vec<_> = (0..u64::from(self.trees))
                .into_par_iter()
                .map_init(
                    || Grower::new(&bins, labels, &edges, limits),
                    |grower, tree| {
                        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                        rng.set_stream(tree);
                        grower.grow(&mut rng)
                    },
                )
                .collect();
            (edges, trees)
        });
        let info = ModelInfo {
            name: market::model::ANOMALY_AHEAD.to_owned(),
            version: 0,
            run: String::new(),
            fill,
            trained_from_ms: 0,
            trained_to_ms: 0,
            rows: rows.len() as u64,
            threshold: 0.5,
        };
        Ok(FittedForest(Forest::new(info, edges, trees)?))
    }
}

impl PredictInplace<Array2<f64>, Array1<f64>> for FittedForest {
    fn predict_inplace(&self, inputs: &Array2<f64>, probabilities: &mut Array1<f64>) {
        let rows: Vec<Inputs> = inputs
            .rows()
            .into_iter()
            .map(|row| std::array::from_fn(|input| row[input]))
            .collect();
        probabilities.assign(&Array1::from(self.0.probabilities(&rows)));
    }

    fn default_target(&self, inputs: &Array2<f64>) -> Array1<f64> {
        Array1::zeros(inputs.nrows())
    }
}
