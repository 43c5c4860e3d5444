//! The distributions of a run, with which later rows are compared.

use std::collections::BTreeMap;

use market::model::{HOUR_OF_DAY, INPUTS, Inputs};
use serde::{Deserialize, Serialize};

use super::distribution::Distribution;

/// Path of the reference in a run.
pub const REFERENCE_PATH: &str = "drift/reference.json";

/// The version of the file format.
const VERSION: u32 = 1;

/// The distributions of a run's rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    version: u32,
    /// The first event_time of the rows fitted on, in milliseconds since the epoch.
    pub from_ms: i64,
    /// The last one.
    pub to_ms: i64,
    /// Each input of the rows fitted on, by name; but for the time of day, which no market can change.
    pub inputs: BTreeMap<String, Distribution>,
    /// The scores of the rows tested on, by label.
    pub scores: BTreeMap<String, Distribution>,
}

/// Why a reference cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// The run has none.
    #[error("run {run} has no {REFERENCE_PATH}: was it deleted? Train again")]
    Missing {
        /// The run of the version in production.
        run: String,
    },
    /// The file is damaged, or another one.
    #[error("{REFERENCE_PATH} cannot be read: {0}; train again")]
    Unreadable(#[from] serde_json::Error),
    /// Written by a later version.
    #[error(
        "{REFERENCE_PATH} is of version {0}, this version of Coinlake reads {VERSION}: update Coinlake"
    )]
    Newer(u32),
}

impl Reference {
    /// The reference of the rows fitted on, in this range of event times. Add scores with [`Self::add_scores`].
    pub fn of_inputs(range: (i64, i64), rows: &[Inputs]) -> Self {
        let distribution = |input: usize| Distribution::of(rows.iter().map(|row| row[input]));
        Self {
            version: VERSION,
            from_ms: range.0,
            to_ms: range.1,
            inputs: market_inputs()
                .map(|(input, name)| (name.to_owned(), distribution(input)))
                .collect(),
            scores: BTreeMap::new(),
        }
    }

    /// Adds a model's scores of the rows tested on.
    pub fn add_scores(&mut self, label: &str, scores: &[f64]) {
        let distribution = Distribution::of(scores.iter().copied());
        self.scores.insert(label.to_owned(), distribution);
    }

    /// The PSI of every input of other rows, in the order of the models' inputs; empty without rows.
    pub fn inputs_psi(&self, rows: &[Inputs]) -> Vec<(&'static str, f64)> {
        market_inputs()
            .filter_map(|(input, name)| {
                let values = rows.iter().map(|row| row[input]);
                Some((name, self.inputs.get(name)?.psi(values)?))
            })
            .collect()
    }

    /// The PSI of other scores of a label's model; `None` without scores, or if the run had no such model.
    pub fn scores_psi(&self, label: &str, scores: &[f64]) -> Option<f64> {
        self.scores.get(label)?.psi(scores.iter().copied())
    }

    /// The file's contents.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("finite numbers and strings are JSON")
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is damaged, or of another version.
    pub fn from_json(json: &[u8]) -> Result<Self, DriftError> {
        let reference: Self = serde_json::from_slice(json)?;
        match reference.version {
            VERSION => Ok(reference),
            other => Err(DriftError::Newer(other)),
        }
    }
}

/// The inputs that say something about the market, with their places.
fn market_inputs() -> impl Iterator<Item = (usize, &'static str)> {
    let inputs = INPUTS.into_iter().enumerate();
    inputs.filter(|(_, name)| *name != HOUR_OF_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_back_unchanged_and_a_newer_one_is_refused() {
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
        // Of another hour, of the same market.
        let later: Vec<Inputs> = rows
            .iter()
            .map(|row| {
                let mut row = *row;
                row[INPUTS.len() - 1] = 23.0;
                row
            })
            .collect();
        assert_eq!(reference.inputs_psi(&later), reference.inputs_psi(&rows));
        let newer =
            String::from_utf8(json)
                .unwrap()
                .replacen("\"version\": 1", "\"version\": 2", 1);
        let refused = Reference::from_json(newer.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("update"), "{refused}");
    }
}
