//! Settings of a forest.

use crate::learn::fit::error::FitError;

/// The most rows: their counts fit 32 bits, whatever the bootstrap draws.
const ROWS_MAX: usize = (u32::MAX / 256) as usize;

/// Settings of a random forest.
///
/// ```
/// use market::model::INPUTS;
/// use trainer::Label;
/// use trainer::data::Part;
/// use trainer::learn::fit::{ForestParams, ModelParams};
///
/// // Rows whose label is decided by their first input.
/// let inputs: Vec<_> = (0..400).map(|row| [f64::from(row % 10); INPUTS.len()]).collect();
/// let part = Part {
///     times: (0..400).map(|row| row * 60_000).collect(),
///     labels: inputs.iter().map(|row| row[0] > 4.5).collect(),
///     inputs,
///     ..Part::default()
/// };
/// let params = ForestParams { trees: 10, ..ForestParams::default() };
/// let model = ModelParams::Forest(params).fit(Label::AnomalyAhead, &part)?;
///
/// let probabilities = model.probabilities(&[[2.0; INPUTS.len()], [8.0; INPUTS.len()]]);
/// assert!(probabilities[0] < probabilities[1]);
/// # Ok::<_, trainer::learn::fit::FitError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParams {
    /// The number of trees.
    pub trees: u32,
    /// The most splits between the root and a leaf.
    pub depth_max: u32,
    /// The least number of different rows in a leaf. An episode makes a quarter of an hour's rows true: 20 of them are one event.
    pub leaf_rows_min: u32,
    /// How strongly a node's prediction is shrunk towards its parent's, as a number of rows (hierarchical shrinkage, Agarwal
    /// and others 2022). With 0 a leaf predicts its own share alone. Neighbouring minutes share most of their future, so a
    /// leaf's rows carry less information than their number suggests.
    pub shrinkage: f64,
    /// The seed of all random draws.
    pub seed: u64,
}

impl Default for ForestParams {
    fn default() -> Self {
        Self {
            trees: 100,
            depth_max: 12,
            leaf_rows_min: 100,
            shrinkage: 400.0,
            seed: 1,
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
