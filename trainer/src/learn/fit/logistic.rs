//! Logistic regression: standard scaling, then linfa's solver; the result is the model that serves.

use linfa::dataset::{Dataset, DatasetBase};
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use market::FEATURES_VERSION;
use market::model::{INPUTS, Inputs, Logistic, ModelInfo, TREND_UP};
use ndarray::{Array1, Array2, Axis};

use super::error::FitError;
use super::matrix::{check, fill_of, filled, rows_of};
use crate::data::Weights;

/// Settings of a logistic regression.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticParams {
    /// The weight of the L2 penalty; 1 / C in scikit-learn.
    pub alpha: f64,
    /// The most iterations of the solver.
    pub iterations_max: u64,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            iterations_max: 200,
        }
    }
}

impl Fit<Array2<f64>, Array1<bool>, FitError> for LogisticParams {
    type Object = Logistic;

    fn fit(&self, dataset: &DatasetBase<Array2<f64>, Array1<bool>>) -> Result<Logistic, FitError> {
        let labels = dataset.targets.as_slice();
        let labels =
            labels.ok_or_else(|| FitError::Shape("the labels are not contiguous".into()))?;
        self.fit_rows(rows_of(&dataset.records)?, labels, Weights::default())
    }
}

impl LogisticParams {
    /// Fits a regression to a sample's rows as it would be fitted to all those they stand for.
    pub(super) fn fit_rows(
        &self,
        rows: &[Inputs],
        labels: &[bool],
        weights: Weights,
    ) -> Result<Logistic, FitError> {
        check(rows)?;
        let fill = fill_of(rows);
        let values: Vec<f64> = filled(rows, &fill).into_flattened();
        let inputs = Array2::from_shape_vec((rows.len(), INPUTS.len()), values)
            .map_err(linfa::Error::from)?;
        let too_few = || FitError::Linfa(linfa::Error::NotEnoughSamples);
        let mean = inputs.mean_axis(Axis(0)).ok_or_else(too_few)?;
        // A constant input carries no information: any scale will do.
        let scale = inputs
            .std_axis(Axis(0), 0.0)
            .mapv(|scale| if scale > 0.0 { scale } else { 1.0 });
        let scaled = (inputs - &mean) / &scale;
        let fitted = LogisticRegression::default()
            .alpha(self.alpha)
            .max_iterations(self.iterations_max)
            .fit(&Dataset::new(scaled, Array1::from(labels.to_vec())))?;
        // linfa takes the more common class for the positive one.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        // Rows left out of one class move the intercept alone, by the logarithm of how much more often they occur.
        let left_out = (weights.of(true) as f64 / weights.of(false) as f64).ln();
        let info = ModelInfo {
            name: TREND_UP.to_owned(),
            version: 0,
            run: String::new(),
            features_version: FEATURES_VERSION,
            fill,
            trained_from_ms: 0,
            trained_to_ms: 0,
            rows: rows.len() as u64,
            threshold: 0.5,
        };
        Ok(Logistic::new(
            info,
            array_of(&mean),
            array_of(&scale),
            array_of(&(fitted.params() * sign)),
            fitted.intercept() * sign + left_out,
        )?)
    }
}

fn array_of(values: &Array1<f64>) -> Inputs {
    let mut array = [0.0; INPUTS.len()];
    array
        .iter_mut()
        .zip(values)
        .for_each(|(to, from)| *to = *from);
    array
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Rows whose labels are drawn with the probabilities of a known model.
    fn drawn(rows: usize, weights: [f64; 2], intercept: f64) -> Dataset<f64, bool, ndarray::Ix1> {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut inputs = Array2::zeros((rows, INPUTS.len()));
        for mut row in inputs.rows_mut() {
            row[2] = 3.0 + 0.001 * rng.random_range(-1.0..1.0_f64);
            row[7] = 100.0 * rng.random_range(-1.0..1.0_f64);
        }
        let labels = inputs
            .rows()
            .into_iter()
            .map(|row| {
                let sum =
                    intercept + weights[0] * (row[2] - 3.0) * 1000.0 + weights[1] * row[7] / 100.0;
                rng.random_bool(1.0 / (1.0 + (-sum).exp()))
            })
            .collect();
        Dataset::new(inputs, labels)
    }

    #[test]
    fn weights_do_not_depend_on_which_class_is_common_or_first() {
        for intercept in [-1.5, 0.0, 1.5] {
            let data = drawn(20_000, [2.0, -1.0], intercept);
            for first in [true, false] {
                let mut order: Vec<usize> = (0..data.targets.len()).collect();
                let found = data.targets.iter().position(|label| *label == first);
                order.swap(0, found.unwrap());
                let data = Dataset::new(
                    data.records.select(Axis(0), &order),
                    data.targets.select(Axis(0), &order),
                );
                let model = LogisticParams::default().fit(&data).unwrap();
                // The standard deviation of a uniform draw from -1 to 1 is 1 / sqrt(3).
                let unit = 3.0_f64.sqrt();
                assert!((model.weights()[2] * unit - 2.0).abs() < 0.15, "{model:?}");
                assert!((model.weights()[7] * unit + 1.0).abs() < 0.15, "{model:?}");
                assert!((model.intercept() - intercept).abs() < 0.15, "{model:?}");
                assert!(model.weights()[0].abs() < 1e-9);
            }
        }
    }

    #[test]
    fn rows_left_out_of_one_class_change_nothing_but_chance() {
        let data = drawn(60_000, [2.0, -1.0], -1.5);
        // Every true row, one of five others.
        let wanted: Vec<usize> = (0..60_000)
            .filter(|row| data.targets[*row] || row % 5 == 0)
            .collect();
        let inputs = data.records.select(Axis(0), &wanted);
        let labels = data.targets.select(Axis(0), &wanted).to_vec();
        let params = LogisticParams::default();
        let whole = params.fit(&data).unwrap();
        let sample = params
            .fit_rows(rows_of(&inputs).unwrap(), &labels, Weights::new(1, 5))
            .unwrap();
        let row = |second: f64, eighth: f64| {
            let mut row = [0.0; INPUTS.len()];
            (row[2], row[7]) = (second, eighth);
            row
        };
        for row in [row(3.0, 0.0), row(3.001, -50.0), row(2.999, 100.0)] {
            let (whole, sample) = (whole.probability(&row), sample.probability(&row));
            assert!((whole - sample).abs() < 0.02, "{whole} {sample}");
        }
    }

    #[test]
    fn a_single_class_is_refused() {
        let data = Dataset::new(Array2::zeros((50, INPUTS.len())), Array1::default(50));
        let refused = LogisticParams::default().fit(&data).unwrap_err();
        let reason = refused.source().unwrap().to_string();
        assert!(reason.contains("two classes"), "{reason}");
    }
}
