//! Logistic regression on scaled inputs.

use super::error::ModelError;
use super::info::ModelInfo;
use super::inputs::{Inputs, filled};

const MODEL: &str = "logistic regression";

/// p = 1 / (1 + exp(-(intercept + sum of weight * ((input - mean) / scale)))), summed in the order of the inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    /// Its label, the rows it was trained on, its fill values and its threshold.
    pub info: ModelInfo,
    mean: Inputs,
    scale: Inputs,
    weights: Inputs,
    intercept: f64,
}

impl Logistic {
    /// A model from its numbers.
    ///
    /// # Errors
    ///
    /// When a number is not finite, or a scale is not above 0.
    pub fn new(
        info: ModelInfo,
        mean: Inputs,
        scale: Inputs,
        weights: Inputs,
        intercept: f64,
    ) -> Result<Self, ModelError> {
        info.check(MODEL)?;
        let unsound = |what: &str| {
            Err(ModelError::Unsound {
                model: MODEL,
                what: what.to_owned(),
            })
        };
        if scale.iter().any(|scale| *scale <= 0.0) {
            return unsound("has a scale that is not above 0");
        }
        let mut numbers = mean.iter().chain(&scale).chain(&weights);
        if !intercept.is_finite() || numbers.any(|number| !number.is_finite()) {
            return unsound("has a coefficient that is not finite");
        }
        Ok(Self {
            info,
            mean,
            scale,
            weights,
            intercept,
        })
    }

    /// The mean of each input, subtracted first.
    pub fn mean(&self) -> &Inputs {
        &self.mean
    }

    /// The scale of each input, by which the difference is divided.
    pub fn scale(&self) -> &Inputs {
        &self.scale
    }

    /// The weight of each scaled input.
    pub fn weights(&self) -> &Inputs {
        &self.weights
    }

    /// Added to the weighted sum.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The probability of a positive label.
    #[inline]
    pub fn probability(&self, inputs: &Inputs) -> f64 {
        let inputs = filled(inputs, &self.info.fill);
        let mut sum = self.intercept;
        for (index, input) in inputs.into_iter().enumerate() {
            sum += self.weights[index] * ((input - self.mean[index]) / self.scale[index]);
        }
        // Not the platform's exp, which may differ in the last bit.
        1.0 / (1.0 + libm::exp(-sum))
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::INPUTS;
    use super::super::samples::info;
    use super::*;

    #[test]
    fn probability_is_that_of_the_formula() {
        let mut weights = [0.0; INPUTS.len()];
        weights[7] = 0.5;
        weights[10] = -2.0;
        let (mut mean, mut scale) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
        (mean[10], scale[10]) = (1.0, 4.0);
        let model = Logistic::new(info("trend_up"), mean, scale, weights, 0.25).unwrap();
        let mut inputs = [0.0; INPUTS.len()];
        (inputs[7], inputs[10]) = (3.0, 5.0);
        // 0.25 + 0.5 * 3 - 2 * (5 - 1) / 4
        let expected = 1.0 / (1.0 + (0.25_f64).exp());
        assert!((model.probability(&inputs) - expected).abs() < 1e-15);
        // An absent input takes its fill, 10.
        inputs[10] = f64::NAN;
        let expected = 1.0 / (1.0 + (2.75_f64).exp());
        assert!((model.probability(&inputs) - expected).abs() < 1e-15);
        // A very negative sum gives 0, not NaN.
        inputs[7] = -1e300;
        assert_eq!(model.probability(&inputs), 0.0);
    }

    #[test]
    fn invalid_numbers_are_refused() {
        let refused = |mean, scale, weights, intercept, fill| {
            let info = ModelInfo {
                fill: [fill; INPUTS.len()],
                ..info("trend_up")
            };
            Logistic::new(
                info,
                [mean; INPUTS.len()],
                [scale; INPUTS.len()],
                [weights; INPUTS.len()],
                intercept,
            )
            .unwrap_err()
            .to_string()
        };
        assert_eq!(
            refused(0.0, 0.0, 1.0, 0.0, 0.0),
            "the logistic regression has a scale that is not above 0: train it again"
        );
        for says in [
            refused(f64::NAN, 1.0, 1.0, 0.0, 0.0),
            refused(0.0, f64::NAN, 1.0, 0.0, 0.0),
            refused(0.0, 1.0, f64::INFINITY, 0.0, 0.0),
            refused(0.0, 1.0, 1.0, f64::NAN, 0.0),
        ] {
            assert_eq!(
                says,
                "the logistic regression has a coefficient that is not finite: train it again"
            );
        }
        assert_eq!(
            refused(0.0, 1.0, 1.0, 0.0, f64::NAN),
            "the logistic regression has no finite value for an absent return_1m: train it again"
        );
    }
}
