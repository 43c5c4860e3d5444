//! Measures a model on the rows it is tested on, beside the baselines.

use super::best_input::BestInput;
use super::bootstrap::{AucPrIntervals, auc_pr_intervals};
use super::calibration::{CalibrationBin, calibration};
use super::confusion::Confusion;
use super::ranking::Ranking;
use crate::data::Split;
use crate::model::Model;

/// The measurements of a model on rows it was not fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The number of rows.
    pub rows: usize,
    /// The share of rows with a true label. Also the AUC-PR of always predicting the same.
    pub base_rate: f64,
    /// The ranking by predicted probability.
    pub ranking: Ranking,
    /// Where chance alone could have moved its AUC-PR, also beside the best input; `None` if no row is true.
    pub intervals: Option<AucPrIntervals>,
    /// The mean squared error of the probabilities.
    pub brier: f64,
    /// Predicted and actual shares.
    pub calibration: Vec<CalibrationBin>,
    /// A probability of at least this counts as a positive prediction.
    pub threshold: f64,
    /// The counts at that threshold.
    pub confusion: Confusion,
    /// The Brier score of always predicting the base rate of the rows fitted on. Its AUC-ROC is 0.5.
    pub base_rate_brier: f64,
    /// The input that alone ranks the rows fitted on best.
    pub best_input: BestInput,
    /// The ranking by that input alone.
    pub best_input_ranking: Ranking,
}

/// Measures a model that was fitted on `split.fit`, on `split.test`.
pub fn evaluate(model: &Model, split: &Split) -> Evaluation {
    let part = &split.test;
    let scores = model.probabilities(&part.inputs);
    let labels = &part.labels;
    let threshold = model.info().threshold;
    let constant = vec![split.fit.base_rate(); labels.len()];
    let best_input = BestInput::of(&split.fit);
    let best_scores = best_input.scores(&part.inputs);
    Evaluation {
        rows: part.len(),
        base_rate: part.base_rate(),
        ranking: Ranking::of(&scores, labels),
        intervals: auc_pr_intervals(&part.times, labels, &scores, &best_scores),
        brier: brier(&scores, labels),
        calibration: calibration(&scores, labels),
        threshold,
        confusion: Confusion::of(&scores, labels, threshold),
        base_rate_brier: brier(&constant, labels),
        best_input,
        best_input_ranking: Ranking::of(&best_scores, labels),
    }
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
