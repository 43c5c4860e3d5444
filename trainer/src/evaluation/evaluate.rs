//! Everything measured about a model.

use market::model::INPUTS;

use super::calibration::{CalibrationBin, calibration};
use super::confusion::Confusion;
use super::ranking::Ranking;
use crate::data::Part;
use crate::model::Model;

/// What a model was worth on a part of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Rows.
    pub rows: usize,
    /// The share of rows whose label is true.
    pub base_rate: f64,
    /// Everything that depends on the order of the scores.
    pub ranking: Ranking,
    /// The mean squared error of the probabilities.
    pub brier: f64,
    /// Predicted and true shares, by predicted probability.
    pub calibration: Vec<CalibrationBin>,
    /// From which probability on a row counts as predicted to be true.
    pub threshold: f64,
    /// What comes of that threshold.
    pub confusion: Confusion,
    /// What who only knows the base rate of the rows fitted on gets: any order is as good, so AUC-ROC is 0.5.
    pub base_rate_brier: f64,
    /// What the order by |zscore_15m| gets.
    pub rule: Ranking,
}

/// Judges a model by rows it was not fitted on. `fit_base_rate` is the share of true labels among those it was.
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

/// |zscore_15m|, 0 where there is none.
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
