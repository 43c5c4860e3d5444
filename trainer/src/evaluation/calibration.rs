//! Predicted and actual shares, by predicted probability.

/// The number of bins.
const CALIBRATION_BINS: usize = 10;

/// Rows of similar predicted probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationBin {
    /// The mean predicted probability.
    pub predicted: f64,
    /// The share of rows with a true label.
    pub actual: f64,
    /// The number of rows.
    pub rows: usize,
}

/// Bins with about the same number of rows each: the scores of rare events crowd near zero.
pub(super) fn calibration(scores: &[f64], labels: &[bool]) -> Vec<CalibrationBin> {
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
    fn predicted_and_actual_shares_are_compared() {
        let scores: Vec<f64> = (0..1000).map(|n| f64::from(n) / 1000.0).collect();
        let labels: Vec<bool> = (0..1000).map(|n| n % 10 < n / 100).collect();
        let bins = calibration(&scores, &labels);
        assert_eq!(bins.len(), 10);
        for bin in &bins {
            assert!((bin.predicted - bin.actual).abs() < 0.06, "{bin:?}");
            assert_eq!(bin.rows, 100);
        }
    }
}
