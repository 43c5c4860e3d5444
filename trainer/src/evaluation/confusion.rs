//! Counts of predictions and outcomes at a threshold.

use crate::data::Weights;

/// Counts of rows by prediction and label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Predicted, and true.
    pub true_positive: u64,
    /// Predicted, but not true.
    pub false_positive: u64,
    /// Not predicted, but true.
    pub false_negative: u64,
    /// Neither predicted nor true.
    pub true_negative: u64,
}

impl Confusion {
    /// Counts the rows that these stand for. A score of at least the threshold is a positive prediction.
    pub fn of(scores: &[f64], labels: &[bool], weights: Weights, threshold: f64) -> Self {
        let mut confusion = Self::default();
        for (score, label) in scores.iter().zip(labels) {
            let count = match (*score >= threshold, *label) {
                (true, true) => &mut confusion.true_positive,
                (true, false) => &mut confusion.false_positive,
                (false, true) => &mut confusion.false_negative,
                (false, false) => &mut confusion.true_negative,
            };
            *count += weights.of(*label);
        }
        confusion
    }

    /// The share of positive predictions that came true; `None` without positive predictions.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// The share of true rows that were predicted; `None` without true rows.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    /// The harmonic mean of precision and recall.
    pub fn f1(&self) -> Option<f64> {
        let twice = 2 * self.true_positive;
        share(twice, twice + self.false_positive + self.false_negative)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_at_the_threshold_is_a_positive_prediction() {
        let scores = [0.1, 0.5, 0.5, 0.9];
        let labels = [false, true, false, true];
        let confusion = Confusion::of(&scores, &labels, Weights::default(), 0.5);
        assert_eq!(confusion.true_positive, 2);
        assert_eq!(confusion.precision(), Some(2.0 / 3.0));
        assert_eq!(confusion.recall(), Some(1.0));
        assert_eq!(confusion.f1(), Some(0.8));
        let nothing = Confusion::of(&scores, &labels, Weights::default(), 1.0);
        assert_eq!(nothing.precision(), None);
        // Each of the others stands for five.
        let sample = Confusion::of(&scores, &labels, Weights::new(1, 5), 0.5);
        assert_eq!((sample.false_positive, sample.true_negative), (5, 5));
    }
}
