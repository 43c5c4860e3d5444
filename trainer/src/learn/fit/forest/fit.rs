//! Fits a forest, behind linfa's traits.

use linfa::dataset::DatasetBase;
use linfa::traits::Fit;
use market::FEATURES_VERSION;
use market::model::{Forest, Inputs, ModelInfo};
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::bins;
use super::lots::lots;
use super::params::ForestParams;
use super::tree::{Grower, Limits};
use crate::data::Weights;
use crate::learn::fit::error::FitError;
use crate::learn::fit::matrix::{check, fill_of, filled, rows_of};

impl Fit<Array2<f64>, Array1<bool>, FitError> for ForestParams {
    type Object = Forest;

    fn fit(&self, dataset: &DatasetBase<Array2<f64>, Array1<bool>>) -> Result<Forest, FitError> {
        let labels = dataset.targets.as_slice();
        let labels =
            labels.ok_or_else(|| FitError::Shape("the labels are not contiguous".into()))?;
        self.fit_rows(
            rows_of(&dataset.records)?,
            labels,
            Weights::default(),
            &|| (),
        )
    }
}

impl ForestParams {
    /// Fits a forest to a sample's rows as it would be fitted to all those they stand for. Calls `tree_done` after each tree.
    pub(in crate::learn::fit) fn fit_rows(
        &self,
        rows: &[Inputs],
        labels: &[bool],
        weights: Weights,
        tree_done: &(dyn Fn() + Sync),
    ) -> Result<Forest, FitError> {
        check(rows)?;
        if labels.len() != rows.len() {
            let problem = format!("{} rows have {} labels", rows.len(), labels.len());
            return Err(FitError::Shape(problem));
        }
        self.check(rows.len())?;

        let fill = fill_of(rows);
        let filled = filled(rows, &fill);
        let edges = bins::edges(&filled);
        let bins = bins::bins(&filled, &edges);
        drop(filled);
        let lots = lots(labels, weights);
        let limits = Limits {
            depth_max: self.depth_max,
            leaf_rows_min: self.leaf_rows_min,
            shrinkage: self.shrinkage,
            weights,
        };
        let trees: Vec<_> = (0..u64::from(self.trees))
            .into_par_iter()
            .map_init(
                || Grower::new(&bins, labels, &lots, &edges, limits),
                |grower, tree| {
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(tree);
                    let nodes = grower.grow(&mut rng);
                    tree_done();
                    nodes
                },
            )
            .collect();
        let info = ModelInfo {
            name: market::model::ANOMALY_AHEAD.to_owned(),
            version: 0,
            run: String::new(),
            features_version: FEATURES_VERSION,
            fill,
            trained_from_ms: 0,
            trained_to_ms: 0,
            rows: rows.len() as u64,
            threshold: 0.5,
        };
        Ok(Forest::new(info, edges, trees)?)
    }
}

#[cfg(test)]
mod tests {
    use linfa::dataset::Dataset;
    use market::model::{INPUTS, Node};
    use proptest::prelude::*;
    use rand::RngExt;

    use super::*;

    /// Rows of noise, with labels from `label`.
    fn dataset(rows: usize, label: impl Fn(&[f64]) -> bool) -> Dataset<f64, bool, ndarray::Ix1> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let inputs =
            Array2::from_shape_simple_fn((rows, INPUTS.len()), || rng.random_range(-1.0..1.0));
        let labels = inputs
            .rows()
            .into_iter()
            .map(|row| label(&row.to_vec()))
            .collect();
        Dataset::new(inputs, labels)
    }

    fn probabilities(forest: &Forest, inputs: &Array2<f64>) -> Vec<f64> {
        forest.probabilities(rows_of(inputs).unwrap())
    }

    fn wrong(forest: &Forest, data: &Dataset<f64, bool, ndarray::Ix1>) -> usize {
        let probabilities = probabilities(forest, &data.records);
        let pairs = probabilities.iter().zip(&data.targets);
        pairs.filter(|(p, label)| (**p >= 0.5) != **label).count()
    }

    #[test]
    fn a_label_decided_by_one_input_is_learned_without_error() {
        let tenths = |x: f64| (10.0 * x).round() / 10.0;
        let mut data = dataset(4000, |row| tenths(row[3]) > 0.25);
        // Few values, so that no bin has rows of both labels.
        data.records.column_mut(3).mapv_inplace(tenths);
        let forest = ForestParams::default().fit(&data).unwrap();
        assert_eq!(wrong(&forest, &data), 0);
    }

    #[test]
    fn a_label_decided_by_two_inputs_together_is_learned() {
        let data = dataset(8000, |row| (row[0] > 0.0) != (row[5] > 0.0));
        let params = ForestParams {
            leaf_rows_min: 5,
            ..ForestParams::default()
        };
        let forest = params.fit(&data).unwrap();
        assert!(wrong(&forest, &data) < 400, "{}", wrong(&forest, &data));
    }

    #[test]
    fn absent_inputs_take_the_median_and_constants_never_split() {
        let mut data = dataset(1000, |row| row[3] > 0.25);
        data.records.column_mut(0).fill(f64::NAN);
        data.records.column_mut(1).fill(7.0);
        data.records[(17, 3)] = f64::NAN;
        let forest = ForestParams::default().fit(&data).unwrap();
        assert_eq!((forest.info.fill[0], forest.info.fill[1]), (0.0, 7.0));
        assert!(forest.info.fill[3].abs() < 0.1);
        assert!(forest.edges()[0].is_empty() && forest.edges()[1].is_empty());
    }

    #[test]
    fn equal_rows_make_a_single_leaf() {
        let data = Dataset::new(
            Array2::zeros((100, INPUTS.len())),
            (0..100).map(|row| row % 4 == 0).collect(),
        );
        let forest = ForestParams::default().fit(&data).unwrap();
        assert!(forest.trees().iter().all(|tree| tree.len() == 1));
        let probabilities = probabilities(&forest, &data.records);
        assert!((probabilities[0] - 0.25).abs() < 0.03);
    }

    #[test]
    fn invalid_settings_and_rows_are_refused_with_the_reason() {
        let fine = || dataset(100, |row| row[0] > 0.0);
        let refused = |params: ForestParams, data: Dataset<f64, bool, ndarray::Ix1>| {
            params.fit(&data).unwrap_err().to_string()
        };
        let default = ForestParams::default;
        let trees = ForestParams {
            trees: 0,
            ..default()
        };
        assert!(refused(trees, fine()).contains("trees: 0: give 1 to 10000"));
        let deep = ForestParams {
            depth_max: 16,
            ..default()
        };
        assert!(refused(deep, fine()).contains("a depth of 16: give 1 to 15"));
        let leaves = ForestParams {
            leaf_rows_min: 0,
            ..default()
        };
        assert!(refused(leaves, fine()).contains("give 1 or more"));
        let shrinkage = ForestParams {
            shrinkage: f64::NAN,
            ..default()
        };
        assert!(refused(shrinkage, fine()).contains("a shrinkage of NaN: give 0"));
        let none = Dataset::new(Array2::zeros((0, INPUTS.len())), Array1::default(0));
        assert!(refused(default(), none).contains("there are 0"));
        let narrow = Dataset::new(Array2::zeros((9, 3)), Array1::default(9));
        assert!(refused(default(), narrow).contains("3 inputs, models take 14"));
        let mut infinite = fine();
        infinite.records[(3, 3)] = f64::INFINITY;
        assert!(refused(default(), infinite).contains("infinite"));
        let short = Dataset::new(fine().records, Array1::default(9));
        assert!(refused(default(), short).contains("100 rows have 9 labels"));
    }

    proptest! {
        #![proptest_config(crate::property::cases(20))]

        #[test]
        fn trees_respect_depth_and_leaf_size(
            leaf_rows_min in 1..40_u32,
            depth_max in 1..9_u32,
            seed in any::<u64>(),
        ) {
            let data = dataset(600, |row| row[0] + row[1] > row[2]);
            let params = ForestParams { trees: 3, depth_max, leaf_rows_min, seed, ..ForestParams::default() };
            let forest = params.fit(&data).unwrap();
            for tree in forest.trees() {
                let mut depths = vec![0];
                for node in tree {
                    let depth = depths.pop().unwrap();
                    prop_assert!(depth <= depth_max);
                    if let Node::Split { .. } = node {
                        depths.extend([depth + 1, depth + 1]);
                    }
                }
                let leaves = tree.len().div_ceil(2);
                prop_assert!(leaves * leaf_rows_min as usize <= 600);
            }
        }
    }
}
