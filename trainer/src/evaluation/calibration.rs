//! Predicted and actual shares, by predicted probability.

/// How many bins of predicted probability are compared with what came true.
const CALIBRATION_BINS: usize = 10;

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

/// Bins of about as many rows each: the scores of rare events crowd near zero.
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
    fn calibration_compares_what_was_said_with_what_came_true() {
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
