//! Measures a model and its baselines.

use market::model::INPUTS;

use super::calibration::{CalibrationBin, calibration};
use super::confusion::Confusion;
use super::ranking::Ranking;
use crate::data::Part;
use crate::model::Model;

/// The measurements of a model on some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The number of rows.
    pub rows: usize,
    /// The share of rows with a true label.
    pub base_rate: f64,
    /// Everything that depends on the order of the scores alone.
    pub ranking: Ranking,
    /// The mean squared error of the probabilities.
    pub brier: f64,
    /// Predicted and actual shares, by predicted probability.
    pub calibration: Vec<CalibrationBin>,
    /// A probability of at least this counts as a positive prediction.
    pub threshold: f64,
    /// The counts at that threshold.
    pub confusion: Confusion,
    /// The Brier score of always predicting the base rate of the rows fitted on. Its AUC-ROC is 0.5.
    pub base_rate_brier: f64,
    /// The ranking by |zscore_15m|.
    pub rule: Ranking,
}

/// Measures a model on rows it was not fitted on. `fit_base_rate` is the share of true labels in the rows it was fitted on.
pub fn evaluate(model: &Model, part: &Part, fit_base_rate: f64) -> Evaluation {
    let scores = model.probabilities(&part.inputs);
    let labels = &part.labels;
    let threshold = model.info().threshold;
    let constant = vec![fit_base_rate; labels.len()];
    Evaluation {
        rows: part.len(),
        base_rate: part.base_rate(),
        ranking: Ranking::of(&scores, labels),
        brier: brier(&scores, labels),
        calibration: calibration(&scores, labels),
        threshold,
        confusion: Confusion::of(&scores, labels, threshold),
        base_rate_brier: brier(&constant, labels),
        rule: Ranking::of(&rule_scores(part), labels),
    }
}

/// The scores of the rule without a model: |zscore_15m|, 0 where it is absent.
pub(crate) fn rule_scores(part: &Part) -> Vec<f64> {
    let zscore = INPUTS.iter().position(|name| *name == "zscore_15m");
    let zscore = zscore.expect("zscore_15m is among the inputs");
    let scores = part.inputs.iter().map(|row| row[zscore].abs());
    scores.map(|z| if z.is_nan() { 0.0 } else { z }).collect()
}

fn brier(scores: &[f64], labels: &[bool]) -> f64 {
    let errors = scores.iter().zip(labels);
    let sum: f64 = errors
        .map(|(score, label)| (score - f64::from(u8::from(*label))).powi(2))
        .sum();
    sum / labels.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brier_score_is_the_mean_squared_error() {
        let right = [true, false].map(|label| f64::from(u8::from(label)));
        assert_eq!(brier(&right, &[true, false]), 0.0);
        assert_eq!(brier(&[0.5, 0.5], &[true, false]), 0.25);
    }
}
