//! Labelled rows, and the split into rows to fit on and rows to test on: by time, never at random.
//!
//! Always true: every row to fit on is more than 20 minutes older than every row to test on, so no label of the former
//! depends on the latter.

use market::model::Inputs;

use super::error::DataError;
use super::label::Label;
use super::labels::{FUTURE_MS_MAX, labels};
use super::rows::Rows;
use super::weights::Weights;
use crate::evaluation::Ranking;

/// The share of rows to fit on; the others, the newest, are tested on.
const FIT_SHARE: f64 = 0.8;

/// The least number of rows in each part.
const ROWS_MIN: usize = 200;

/// Labelled rows; with another `I` than [`Inputs`] their inputs are still elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<I = Inputs> {
    /// Event times, in the order of [`Rows`], in milliseconds since the epoch.
    pub times: Vec<i64>,
    /// The models' inputs, NaN where the lake has null; or where they are.
    pub inputs: Vec<I>,
    /// The labels.
    pub labels: Vec<bool>,
    /// How many rows of the market each stands for.
    pub weights: Weights,
}

impl<I> Default for Part<I> {
    fn default() -> Self {
        Self {
            times: Vec::new(),
            inputs: Vec::new(),
            labels: Vec::new(),
            weights: Weights::default(),
        }
    }
}

/// Labelled rows, split.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<I = Inputs> {
    /// The rows to fit on.
    pub fit: Part<I>,
    /// The rows to test on.
    pub test: Part<I>,
}

impl<I: Copy> Part<I> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The first and the last event time.
    pub fn range(&self) -> Option<(i64, i64)> {
        Some((*self.times.iter().min()?, *self.times.iter().max()?))
    }

    fn hours(&self) -> f64 {
        let (from, to) = self.range().unwrap_or_default();
        (to - from) as f64 / 3_600_000.0
    }

    /// Whether both labels occur.
    pub fn has_both(&self) -> bool {
        self.labels.contains(&true) && self.labels.contains(&false)
    }

    /// The share of the market's rows with a true label.
    pub fn base_rate(&self) -> f64 {
        let positives = self.labels.iter().filter(|label| **label).count();
        let negatives = self.len() - positives;
        let positives = self.weights.of(true) * positives as u64;
        let all = positives + self.weights.of(false) * negatives as u64;
        positives as f64 / all as f64
    }

    /// Ranks the rows by score, as the market's rows would be ranked.
    pub fn ranking(&self, scores: &[f64]) -> Ranking {
        Ranking::weighted(scores, &self.labels, self.weights)
    }

    /// The rows whose event time is wanted.
    pub fn of_times(&self, wanted: impl Fn(i64) -> bool) -> Self {
        self.of_places(|row| wanted(self.times[row]), self.weights)
    }

    /// The rows at the places wanted, each of which stands for as many of the market as the weights say.
    pub(super) fn of_places(&self, wanted: impl Fn(usize) -> bool, weights: Weights) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|row| wanted(*row)).collect();
        Self {
            times: rows.iter().map(|row| self.times[*row]).collect(),
            inputs: rows.iter().map(|row| self.inputs[*row]).collect(),
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
            weights,
        }
    }

    /// All rows that have a label.
    pub fn of_rows(rows: &Rows<I>, label: Label) -> Self {
        let (mut times, mut inputs, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for (row, label) in rows.as_slice().iter().zip(labels(rows, label)) {
            if let Some(label) = label {
                times.push(row.event_time);
                inputs.push(row.inputs);
                known.push(label);
            }
        }
        Self {
            times,
            inputs,
            labels: known,
            weights: Weights::default(),
        }
    }

    /// Splits off the newest fifth, with a gap of 20 minutes before it, as far as labels look ahead.
    ///
    /// # Errors
    /// When a part has too few rows or only one class.
    pub fn split(&self, label: Label) -> Result<Split<I>, DataError> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let begin = (times.len() as f64 * FIT_SHARE) as usize;
        // All rows of this time are tested on.
        let begin = times.get(begin).copied().unwrap_or(i64::MAX);
        let split = Split {
            fit: self.of_times(|time| time < begin.saturating_sub(FUTURE_MS_MAX)),
            test: self.of_times(|time| time >= begin),
        };
        if split.fit.len().min(split.test.len()) < ROWS_MIN {
            let enough = ROWS_MIN as f64 / (1.0 - FIT_SHARE);
            return Err(DataError::TooFewRows {
                label,
                fit: split.fit.len(),
                test: split.test.len(),
                least: ROWS_MIN,
                // With one to spare, for the gap and what begins without a past.
                hours: (!self.is_empty())
                    .then(|| (self.hours() * enough / self.len() as f64).ceil() + 1.0),
            });
        }
        for (part, of) in [(&split.fit, "to fit on"), (&split.test, "to test on")] {
            if !part.has_both() {
                let always = part.labels[0];
                return Err(match (label, always) {
                    (Label::AnomalyAhead, false) => DataError::NoEpisode {
                        rows: part.len(),
                        of,
                        hours: part.hours(),
                    },
                    _ => DataError::OneClass { label, always, of },
                });
            }
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use market::model::INPUTS;

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn part(rows: usize, label: impl Fn(usize) -> bool) -> Part {
        Part {
            times: (0..rows).map(|row| (row / 2) as i64 * MINUTE_MS).collect(),
            inputs: vec![[0.0; INPUTS.len()]; rows],
            labels: (0..rows).map(label).collect(),
            ..Part::default()
        }
    }

    #[test]
    fn the_newest_fifth_is_tested_on_after_a_gap() {
        let split = part(2000, |row| row % 3 == 0)
            .split(Label::TrendUp)
            .unwrap();
        assert_eq!(split.test.range(), Some((800 * MINUTE_MS, 999 * MINUTE_MS)));
        assert_eq!(split.test.len(), 400);
        assert_eq!(split.fit.range(), Some((0, 779 * MINUTE_MS)));
    }

    #[test]
    fn too_few_rows_and_a_single_class_are_refused() {
        let problem = |part: Part| part.split(Label::AnomalyAhead).unwrap_err().to_string();
        assert!(problem(part(0, |_| true)).contains("too few"));
        let few = problem(part(900, |row| row % 3 == 0));
        assert!(
            few.contains("too few") && few.contains("10 hours in all should be enough"),
            "{few}"
        );
        let never = problem(part(2000, |row| row > 1700));
        assert!(
            never.contains(
                "no episode of warnings begins in the 1560 rows to fit on, of 13.0 hours"
            ),
            "{never}"
        );
        let always = problem(part(2000, |row| row % 2 == 0 || row > 1500));
        assert!(always.contains("true in every row to test on"), "{always}");
    }
}
