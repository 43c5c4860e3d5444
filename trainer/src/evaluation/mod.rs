//! How good a model is, on rows it has not seen, next to two who know nothing of it: the base rate, and the rule
//! |zscore_15m|.
//!
//! linfa has a ROC curve and a confusion matrix, in f32 and with counts that cannot be read; areas here are exact.

mod ranking;

pub use ranking::{Point, Ranking};

use market::model::INPUTS;

use crate::data::Part;
use crate::model::Model;

/// How many bins of predicted probability are compared with what came true.
const CALIBRATION_BINS: usize = 10;

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

/// Rows of similar predicted probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// The mean predicted probability.
    pub predicted: f64,
    /// The share whose label is true.
    pub actual: f64,
    /// How many rows.
    pub rows: usize,
}

/// Counts of what was predicted and what came true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Predicted and true.
    pub true_positive: u64,
    /// Predicted, not true.
    pub false_positive: u64,
    /// Not predicted, true.
    pub false_negative: u64,
    /// Neither.
    pub true_negative: u64,
}

impl Confusion {
    /// Counts rows; from the threshold on is predicted.
    pub fn of(scores: &[f64], labels: &[bool], threshold: f64) -> Self {
        let mut confusion = Self::default();
        for (score, label) in scores.iter().zip(labels) {
            let count = match (*score >= threshold, *label) {
                (true, true) => &mut confusion.true_positive,
                (true, false) => &mut confusion.false_positive,
                (false, true) => &mut confusion.false_negative,
                (false, false) => &mut confusion.true_negative,
            };
            *count += 1;
        }
        confusion
    }

    /// The share of what was predicted that came true; `None` if nothing was predicted.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of what came true that was predicted; `None` if nothing came true.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Twice their product by their sum.
    pub fn f1(&self) -> Option<f64> {
        let twice = 2 * self.true_positive;
        share(twice, twice + self.false_positive + self.false_negative)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
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
fn rule_scores(part: &Part) -> Vec<f64> {
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

/// Bins of about as many rows each: the scores of rare events crowd near zero.
fn calibration(scores: &[f64], labels: &[bool]) -> Vec<CalibrationBin> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let size = order.len().div_ceil(CALIBRATION_BINS).max(1);
    order
        .chunks(size)
        .map(|rows| {
            let mean = |value: &dyn Fn(usize) -> f64| {
                rows.iter().map(|row| value(*row)).sum::<f64>() / rows.len() as f64
            };
            CalibrationBin {
                predicted: mean(&|row| scores[row]),
                actual: mean(&|row| f64::from(u8::from(labels[row]))),
                rows: rows.len(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confusion_counts_from_the_threshold_on() {
        let scores = [0.1, 0.5, 0.5, 0.9];
        let labels = [false, true, false, true];
        let confusion = Confusion::of(&scores, &labels, 0.5);
        assert_eq!(confusion.true_positive, 2);
        assert_eq!(confusion.precision(), Some(2.0 / 3.0));
        assert_eq!(confusion.recall(), Some(1.0));
        assert_eq!(confusion.f1(), Some(0.8));
        assert_eq!(Confusion::of(&scores, &labels, 1.0).precision(), None);
    }

    #[test]
    fn calibration_compares_what_was_said_with_what_came_true() {
        let scores: Vec<f64> = (0..1000).map(|n| f64::from(n) / 1000.0).collect();
        let labels: Vec<bool> = (0..1000).map(|n| n % 10 < n / 100).collect();
        let bins = calibration(&scores, &labels);
        assert_eq!(bins.len(), 10);
        for bin in &bins {
            assert!((bin.predicted - bin.actual).abs() < 0.06, "{bin:?}");
            assert_eq!(bin.rows, 100);
        }
        let right = [true, false].map(|label| f64::from(u8::from(label)));
        assert_eq!(brier(&right, &[true, false]), 0.0);
        assert_eq!(brier(&[0.5, 0.5], &[true, false]), 0.25);
    }
}
