//! A tick in a series.

/// This many ticks are compared one by one before a binary search.
const NEAR_POINTS: usize = 16;

/// A tick in a series, four words large: NaN stands for an absent number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) time: i64,
    pub(super) price: f64,
    /// 24-hour volume, or NaN.
    pub(super) volume: f64,
    /// Fixed when the tick arrived; NaN when there was no tick before it.
    pub(super) log_return: f64,
}

/// How many of these points, which ascend by time, are not after `time`: likely nearly all.
#[inline(always)]
pub(super) fn count_until(points: &[Point], time: i64) -> usize {
    let (far, near) = points.split_at(points.len().saturating_sub(NEAR_POINTS));
    match near.iter().rposition(|point| point.time <= time) {
        Some(newest) => far.len() + newest + 1,
        None => far.partition_point(|point| point.time <= time),
    }
}
