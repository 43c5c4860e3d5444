//! Drift: how far the inputs and scores of other rows are from those a model was made with.
//!
//! The population stability index compares shares of rows in bins whose edges are deciles of the reference:
//! PSI = sum of (actual - expected) * ln(actual / expected). What is absent has a bin of its own. By custom below 0.1 is
//! steady, and from 0.25 on the model deserves a look.
//!
//! Inputs are compared with the rows fitted on. Scores are compared with those of the rows tested on: a forest is surer of
//! rows it was fitted on than of any it will ever see again.

use std::collections::BTreeMap;

use market::model::{INPUTS, Inputs};
use serde::{Deserialize, Serialize};

/// Where a run keeps it.
pub const REFERENCE_PATH: &str = "drift/reference.json";

/// From here on a distribution has moved, by custom.
pub const PSI_NOTABLE: f64 = 0.25;

/// Raised when the file's meaning changes.
const VERSION: u32 = 1;

const BINS: usize = 10;

/// An empty bin counts as this share, so that its logarithm stays finite.
const SHARE_MIN: f64 = 1e-4;

/// What a run's rows looked like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    version: u32,
    /// The first event_time of the rows fitted on.
    pub from_ms: i64,
    /// Their last.
    pub to_ms: i64,
    /// By name, of the rows fitted on.
    pub inputs: BTreeMap<String, Distribution>,
    /// By label, of the rows tested on.
    pub scores: BTreeMap<String, Distribution>,
}

/// Shares of rows by bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Between the bins, ascending; a value that equals an edge is below it.
    pub edges: Vec<f64>,
    /// One more than edges.
    pub shares: Vec<f64>,
    /// The share of rows without a value.
    pub absent: f64,
}

/// Why a reference cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// Not such a file.
    #[error("{REFERENCE_PATH} cannot be read: {0}; train anew")]
    Unreadable(#[from] serde_json::Error),
    /// Made by a later version.
    #[error(
        "{REFERENCE_PATH} is of version {0}, this version of Coinlake reads {VERSION}: update Coinlake"
    )]
    Newer(u32),
}

impl Reference {
    /// Of the rows fitted on, from time to time; scores are added with [`Self::add_scores`].
    pub fn of_inputs(range: (i64, i64), rows: &[Inputs]) -> Self {
        let distribution = |input: usize| Distribution::of(rows.iter().map(|row| row[input]));
        let inputs = INPUTS.iter().enumerate();
        Self {
            version: VERSION,
            from_ms: range.0,
            to_ms: range.1,
            inputs: inputs
                .map(|(input, name)| ((*name).to_owned(), distribution(input)))
                .collect(),
            scores: BTreeMap::new(),
        }
    }

    /// Adds a model's scores of the rows tested on.
    pub fn add_scores(&mut self, label: &str, scores: &[f64]) {
        let distribution = Distribution::of(scores.iter().copied());
        self.scores.insert(label.to_owned(), distribution);
    }

    /// The PSI of every input of other rows, in the order of the models' inputs; nothing if there are no rows.
    pub fn inputs_psi(&self, rows: &[Inputs]) -> Vec<(&'static str, f64)> {
        let known = INPUTS.iter().enumerate();
        known
            .filter_map(|(input, name)| {
                let values = rows.iter().map(|row| row[input]);
                Some((*name, self.inputs.get(*name)?.psi(values)?))
            })
            .collect()
    }

    /// The PSI of other scores of a label's model; `None` if the run had no such model, or there are no scores.
    pub fn scores_psi(&self, label: &str, scores: &[f64]) -> Option<f64> {
        self.scores.get(label)?.psi(scores.iter().copied())
    }

    /// The file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("finite numbers and strings are JSON")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is none, or of a later version.
    pub fn from_json(json: &[u8]) -> Result<Self, DriftError> {
        let reference: Self = serde_json::from_slice(json)?;
        match reference.version {
            VERSION => Ok(reference),
            other => Err(DriftError::Newer(other)),
        }
    }
}

impl Distribution {
    /// Bins at the deciles; fewer where many values are the same. NaN is absent.
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
        // Nothing is above the greatest value: such an edge would part nothing.
        edges.retain(|edge| there.last().is_some_and(|last| edge < last));
        let (shares, absent) = shares(&edges, there.iter().copied(), total);
        Self {
            edges,
            shares,
            absent,
        }
    }

    /// How far other values are from these; `None` if there are none.
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

/// The share of values in each bin, and of rows without a value.
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
    fn equal_distributions_have_no_drift_and_shifted_ones_have() {
        let values = |shift: f64| (0..1000).map(move |n| f64::from(n) / 100.0 + shift);
        let reference = Distribution::of(values(0.0));
        assert_eq!(reference.edges.len(), 9);
        assert_eq!(reference.psi(values(0.0)), Some(0.0));
        assert!(reference.psi(values(0.1)).unwrap() < 0.01);
        assert!(reference.psi(values(5.0)).unwrap() > PSI_NOTABLE);
        assert_eq!(reference.psi(std::iter::empty()), None);
    }

    #[test]
    fn what_is_absent_and_what_is_constant_count_too() {
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
    fn a_hand_computed_case() {
        let reference = Distribution {
            edges: vec![1.0],
            shares: vec![0.5, 0.5],
            absent: 0.0,
        };
        let psi = reference.psi([1.0, 1.0, 1.0, 2.0].into_iter()).unwrap();
        let expected = 0.25 * 1.5_f64.ln() + -0.25 * 0.5_f64.ln();
        assert!((psi - expected).abs() < 1e-12);
    }

    #[test]
    fn the_file_is_read_as_it_was_written_and_a_newer_one_is_refused() {
        let rows: Vec<Inputs> = (0..50)
            .map(|n| [f64::from(n) / 7.0; INPUTS.len()])
            .collect();
        let mut reference = Reference::of_inputs((1, 2), &rows);
        reference.add_scores("trend_up", &[0.1, 0.2]);
        let json = reference.to_json();
        assert_eq!(Reference::from_json(&json).unwrap(), reference);
        assert!(
            reference
                .inputs_psi(&rows)
                .iter()
                .all(|(_, psi)| *psi == 0.0)
        );
        assert_eq!(reference.inputs_psi(&[]), []);
        assert_eq!(reference.scores_psi("trend_up", &[0.1, 0.2]), Some(0.0));
        assert_eq!(reference.scores_psi("anomaly_ahead", &[0.1]), None);
        let newer =
            String::from_utf8(json)
                .unwrap()
                .replacen("\"version\": 1", "\"version\": 2", 1);
        let refused = Reference::from_json(newer.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("update"), "{refused}");
    }

    proptest! {
        #![proptest_config(crate::proptest_config(200))]

        #[test]
        fn psi_is_zero_for_the_same_rows_and_never_below(
            values in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -9.0..9.0_f64], 1..200),
            others in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), -9.0..9.0_f64], 1..200),
        ) {
            let reference = Distribution::of(values.iter().copied());
            prop_assert_eq!(reference.psi(values.iter().rev().copied()), Some(0.0));
            prop_assert!(reference.psi(others.into_iter()).is_some_and(|psi| psi >= 0.0));
        }
    }
}
