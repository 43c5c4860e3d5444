//! The distribution of values, and the population stability index (PSI) of other values against it.

use serde::{Deserialize, Serialize};

/// The conventional limit: a distribution with a PSI of this or more has drifted.
pub const PSI_NOTABLE: f64 = 0.25;

const BINS: usize = 10;

/// An empty bin counts as this share, to keep its logarithm finite.
const SHARE_MIN: f64 = 1e-4;

/// Shares of rows by bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The edges between bins, ascending; a value equal to an edge is in the bin below it.
    pub edges: Vec<f64>,
    /// The share of each bin; one more than edges.
    pub shares: Vec<f64>,
    /// The share of rows without a value.
    pub absent: f64,
}

impl Distribution {
    /// Bins with edges at the deciles; fewer if many values are equal. NaN is absent.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut total = 0;
        let mut there: Vec<f64> = values
            .inspect(|_| total += 1)
            .filter(|value| !value.is_nan())
            .collect();
        there.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..BINS)
            .filter_map(|decile| there.get(there.len() * decile / BINS).copied())
            .collect();
        edges.dedup();
        // Drop an edge at the greatest value: nothing is above it.
        edges.retain(|edge| there.last().is_some_and(|last| edge < last));
        let (shares, absent) = shares(&edges, there.iter().copied(), total);
        Self {
            edges,
            shares,
            absent,
        }
    }

    /// The PSI of other values; `None` if there are none.
    pub fn psi(&self, values: impl Iterator<Item = f64>) -> Option<f64> {
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            return None;
        }
        let (shares, absent) = shares(&self.edges, values.iter().copied(), values.len());
        let pairs = shares
            .iter()
            .zip(&self.shares)
            .chain([(&absent, &self.absent)]);
        let psi = pairs.map(|(actual, expected)| {
            let (actual, expected) = (actual.max(SHARE_MIN), expected.max(SHARE_MIN));
            (actual - expected) * (actual / expected).ln()
        });
        Some(psi.sum())
    }
}

/// The share of each bin, and that of absent values.
fn shares(edges: &[f64], values: impl Iterator<Item = f64>, total: usize) -> (Vec<f64>, f64) {
    let mut counts = vec![0_usize; edges.len() + 1];
    let mut there = 0;
    for value in values.filter(|value| !value.is_nan()) {
        there += 1;
        counts[edges.partition_point(|edge| *edge < value)] += 1;
    }
    let share = |count: usize| count as f64 / total.max(1) as f64;
    let absent = share(total - there);
    (counts.into_iter().map(share).collect(), absent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shifted_values_drift_and_equal_ones_do_not() {
        let values = |shift: f64| (0..1000).map(move |n| f64::from(n) / 100.0 + shift);
        let reference = Distribution::of(values(0.0));
        assert_eq!(reference.edges.len(), 9);
        assert_eq!(reference.psi(values(0.0)), Some(0.0));
        assert!(reference.psi(values(0.1)).unwrap() < 0.01);
        assert!(reference.psi(values(5.0)).unwrap() > PSI_NOTABLE);
        assert_eq!(reference.psi(std::iter::empty()), None);
    }

    #[test]
    fn absent_and_constant_values_count() {
        let reference = Distribution::of([15.0; 100].into_iter());
        assert_eq!(reference.edges, [] as [f64; 0]);
        assert_eq!(reference.psi([15.0].into_iter()), Some(0.0));
        let half = [15.0, f64::NAN].into_iter().cycle().take(100);
        assert!(reference.psi(half).unwrap() > PSI_NOTABLE);
        let mostly =
            Distribution::of((0..100).map(|n| if n < 70 { 15.0 } else { f64::from(n % 15) }));
        assert!(mostly.psi([3.0; 50].into_iter()).unwrap() > PSI_NOTABLE);
        let never = Distribution::of([f64::NAN; 10].into_iter());
        assert_eq!(never.psi([f64::NAN].into_iter()), Some(0.0));
    }

    #[test]
    fn psi_is_that_of_a_hand_computed_case() {
        let reference = Distribution {
            edges: vec![1.0],
            shares: vec![0.5, 0.5],
            absent: 0.0,
        };
        let psi = reference.psi([1.0, 1.0, 1.0, 2.0].into_iter()).unwrap();
        let expected = 0.25 * 1.5_f64.ln() + -0.25 * 0.5_f64.ln();
        assert!((psi - expected).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(crate::property::cases(200))]

        #[test]
        fn psi_is_zero_for_the_same_values_and_never_negative(
            values in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -9.0..9.0_f64], 1..200),
            others in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -9.0..9.0_f64], 1..200),
        ) {
            let reference = Distribution::of(values.iter().copied());
            prop_assert_eq!(reference.psi(values.iter().rev().copied()), Some(0.0));
            prop_assert!(reference.psi(others.into_iter()).is_some_and(|psi| psi >= 0.0));
        }
    }
}
