//! Measures a model on held-out rows, beside the baselines.

use super::best_input::BestInput;
use super::bootstrap::{AucPrIntervals, auc_pr_intervals};
use super::calibration::{CalibrationBin, calibration};
use super::confusion::Confusion;
use super::ranking::Ranking;
use crate::data::{Split, Weights};
use crate::model::Model;

/// The measurements of a model on rows it was not fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The number of rows predicted.
    pub rows: usize,
    /// The share of rows with a true label. Also the AUC-PR of always predicting the same.
    pub base_rate: f64,
    /// The ranking by predicted probability.
    pub ranking: Ranking,
    /// Bootstrap intervals of its AUC-PR and of its lead over the best input; `None` without a true row.
    pub intervals: Option<AucPrIntervals>,
    /// The mean squared error of the probabilities.
    pub brier: f64,
    /// The mean predicted probability and the share of true rows, by bin.
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
    let (labels, weights) = (&part.labels, part.weights);
    let threshold = model.info().threshold;
    let constant = vec![split.fit.base_rate(); labels.len()];
    let best_input = BestInput::of(&split.fit);
    let best_scores = best_input.scores(&part.inputs);
    Evaluation {
        rows: part.len(),
        base_rate: part.base_rate(),
        ranking: part.ranking(&scores),
        intervals: auc_pr_intervals(part, &scores, &best_scores),
        brier: brier(&scores, labels, weights),
        calibration: calibration(&scores, labels, weights),
        threshold,
        confusion: Confusion::of(&scores, labels, weights, threshold),
        base_rate_brier: brier(&constant, labels, weights),
        best_input,
        best_input_ranking: part.ranking(&best_scores),
    }
}

fn brier(scores: &[f64], labels: &[bool], weights: Weights) -> f64 {
    let weight = |label: &bool| weights.of(*label) as f64;
    let errors = scores.iter().zip(labels);
    let sum: f64 = errors
        .map(|(score, label)| weight(label) * (score - f64::from(u8::from(*label))).powi(2))
        .sum();
    sum / labels.iter().map(weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brier_score_is_the_mean_squared_error() {
        let right = [true, false].map(|label| f64::from(u8::from(label)));
        let all = Weights::default();
        assert_eq!(brier(&right, &[true, false], all), 0.0);
        assert_eq!(brier(&[0.5, 0.5], &[true, false], all), 0.25);
        assert_eq!(brier(&[1.0, 1.0], &[true, false], Weights::new(1, 3)), 0.75);
    }
}
