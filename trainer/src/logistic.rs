//! Logistic regression: standard scaling, linfa's solver, and its result as the model that serves.

use linfa::dataset::{Dataset, DatasetBase};
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use market::model::{INPUTS, Inputs, Logistic, ModelInfo, TREND_UP};
use ndarray::{Array1, Array2, Axis};

use crate::forest::FitError;
use crate::matrix::{fill_of, filled, rows_of};

/// What a logistic regression is to be like.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticParams {
    /// The weight of the L2 penalty on the weights; scikit-learn's 1 / C.
    pub alpha: f64,
    /// When the solver gives up.
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
        let rows = rows_of(&dataset.records)?;
        let fill = fill_of(rows);
        let values: Vec<f64> = filled(rows, &fill).into_iter().flatten().collect();
        let inputs = Array2::from_shape_vec(dataset.records.raw_dim(), values)
            .map_err(linfa::Error::from)?;
        let too_few = || FitError::Linfa(linfa::Error::NotEnoughSamples);
        let mean = inputs.mean_axis(Axis(0)).ok_or_else(too_few)?;
        // An input that never changes says nothing; any scale will do.
        let scale = inputs
            .std_axis(Axis(0), 0.0)
            .mapv(|scale| if scale > 0.0 { scale } else { 1.0 });
        let scaled = (inputs - &mean) / &scale;
        let fitted = LogisticRegression::default()
            .alpha(self.alpha)
            .max_iterations(self.iterations_max)
            .fit(&Dataset::new(scaled, dataset.targets.clone()))?;
        // linfa takes the commoner class for the positive one.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        let info = ModelInfo {
            name: TREND_UP.to_owned(),
            version: 0,
            run: String::new(),
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
            fitted.intercept() * sign,
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
