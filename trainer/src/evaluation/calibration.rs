//! Predicted and actual shares, by predicted probability.

use crate::data::Weights;

/// The number of bins.
const CALIBRATION_BINS: u64 = 10;

/// Rows of similar predicted probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// The mean predicted probability.
    pub predicted: f64,
    /// The share of rows with a true label.
    pub actual: f64,
    /// The number of rows.
    pub rows: u64,
}

/// Bins with about the same number of rows each: the scores of rare events crowd near zero.
pub(super) fn calibration(
    scores: &[f64],
    labels: &[bool],
    weights: Weights,
) -> Vec<CalibrationBin> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let weight = |row: usize| weights.of(labels[row]);
    let all: u64 = order.iter().map(|row| weight(*row)).sum();
    let size = all.div_ceil(CALIBRATION_BINS).max(1);
    let mut before = 0;
    let bins = order.chunk_by(|row, _| {
        let bin = before / size;
        before += weight(*row);
        before / size == bin
    });
    bins.map(|rows| {
        let count: u64 = rows.iter().map(|row| weight(*row)).sum();
        let mean = |value: &dyn Fn(usize) -> f64| {
            let sum: f64 = rows
                .iter()
                .map(|row| weight(*row) as f64 * value(*row))
                .sum();
            sum / count as f64
        };
        CalibrationBin {
            predicted: mean(&|row| scores[row]),
            actual: mean(&|row| f64::from(u8::from(labels[row]))),
            rows: count,
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicted_and_actual_shares_are_compared() {
        let scores: Vec<f64> = (0..1000).map(|n| f64::from(n) / 1000.0).collect();
        let labels: Vec<bool> = (0..1000).map(|n| n % 10 < n / 100).collect();
        let bins = calibration(&scores, &labels, Weights::default());
        assert_eq!(bins.len(), 10);
        for bin in &bins {
            assert!((bin.predicted - bin.actual).abs() < 0.06, "{bin:?}");
            assert_eq!(bin.rows, 100);
        }
    }
}
