//! Counts of predictions and outcomes at a threshold.

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
}
