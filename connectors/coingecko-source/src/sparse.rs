//! What the detector cannot compute when polls are far apart.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// From which interval on a feature lacks the ticks it is computed from, in rows or for good.
const SPARSE: [(u32, &str); 4] = [
    (
        5,
        "return_1m, return_5m, return_15m and return_zscore_15m are missing in part of the rows, and price_move alerts with \
         them",
    ),
    (
        10,
        "volume_surge is never computed, so volume_spike alerts come from volume_ratio alone",
    ),
    (
        12,
        "zscore_15m and move_15m are never computed, so there are no price_spike alerts",
    ),
    (15, "log_return and the volatilities are never computed"),
];

/// One sentence for an interval that is too long for part of the features.
pub(crate) fn not_computed(interval: Duration) -> Option<String> {
    let missing: Vec<&str> = SPARSE
        .iter()
        .filter(|(minutes, _)| interval > MINUTE * *minutes)
        .map(|(_, what)| *what)
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "with a poll every {} s the detector has too few ticks: {}. Everything is computed up to 300 s",
            interval.as_secs_f64(),
            missing.join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_less() {
        let at = |secs| not_computed(Duration::from_secs(secs));
        assert_eq!((at(60), at(300)), (None, None));
        let lengths = [301, 601, 721, 901].map(|secs| at(secs).unwrap().len());
        assert!(lengths.is_sorted() && lengths[0] < lengths[3]);
        assert!(at(600).unwrap().contains("every 600 s"));
        assert!(!at(600).unwrap().contains("volume_surge"));
    }
}
