//! Which rows are fitted on, and which are kept for testing: by time, never at random.
//!
//! Always true: every row to fit on lies at least 15 minutes before every row to test on, so that no label of the first
//! looks into the second.

use super::{AHEAD_MS, DataError, Label, Rows, labels};
use market::model::Inputs;

/// How many of the rows are fitted on; the rest, the newest, are tested on.
const FIT_SHARE: f64 = 0.8;

/// Fewer say nothing about a model.
const ROWS_MIN: usize = 200;

/// Labelled rows as the learners take them.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Event times, in the order of [`Rows`].
    pub times: Vec<i64>,
    /// A row each; NaN where the lake has null.
    pub inputs: Vec<Inputs>,
    /// What came true.
    pub labels: Vec<bool>,
}

/// Labelled rows, split.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// To fit on.
    pub fit: Part,
    /// To test on.
    pub test: Part,
}

impl Part {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The first and the last event time.
    pub fn range(&self) -> Option<(i64, i64)> {
        Some((*self.times.iter().min()?, *self.times.iter().max()?))
    }

    /// The share of rows whose label is true.
    pub fn base_rate(&self) -> f64 {
        self.labels.iter().filter(|label| **label).count() as f64 / self.len() as f64
    }

    /// The rows whose time is wanted.
    pub fn of_times(&self, wanted: impl Fn(i64) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.len())
            .filter(|row| wanted(self.times[*row]))
            .collect();
        Self {
            times: rows.iter().map(|row| self.times[*row]).collect(),
            inputs: rows.iter().map(|row| self.inputs[*row]).collect(),
            labels: rows.iter().map(|row| self.labels[*row]).collect(),
        }
    }

    /// All labelled rows.
    pub fn of_rows(rows: &Rows, label: Label) -> Self {
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
        }
    }

    /// The newest rows apart, with a gap of 15 minutes before them.
    ///
    /// # Errors
    /// When a part has too few rows or only one class.
    pub fn split(&self, label: Label) -> Result<Split, DataError> {
        let mut times = self.times.clone();
        times.sort_unstable();
        let begin = (times.len() as f64 * FIT_SHARE) as usize;
        // The time of a row; all rows of that time are tested on.
        let begin = times.get(begin).copied().unwrap_or(i64::MAX);
        let split = Split {
            fit: self.of_times(|time| time <= begin.saturating_sub(AHEAD_MS)),
            test: self.of_times(|time| time >= begin),
        };
        if split.fit.len().min(split.test.len()) < ROWS_MIN {
            return Err(DataError::TooFewRows {
                label,
                fit: split.fit.len(),
                test: split.test.len(),
                least: ROWS_MIN,
            });
        }
        for (part, of) in [(&split.fit, "to fit on"), (&split.test, "to test on")] {
            let always = part.labels[0];
            if part.labels.iter().all(|label| *label == always) {
                return Err(DataError::OneClass { label, always, of });
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
        }
    }

    #[test]
    fn the_newest_fifth_is_for_testing_and_a_gap_lies_before_it() {
        let split = part(2000, |row| row % 3 == 0)
            .split(Label::TrendUp)
            .unwrap();
        assert_eq!(split.test.range(), Some((800 * MINUTE_MS, 999 * MINUTE_MS)));
        assert_eq!(split.test.len(), 400);
        assert_eq!(split.fit.range(), Some((0, 785 * MINUTE_MS)));
    }

    #[test]
    fn what_nothing_can_be_learned_from_is_refused() {
        let problem = |part: Part| part.split(Label::AnomalyAhead).unwrap_err().to_string();
        assert!(problem(part(0, |_| true)).contains("too few"));
        assert!(problem(part(900, |row| row % 3 == 0)).contains("too few"));
        let never = problem(part(2000, |row| row > 1700));
        assert!(
            never.contains("anomaly_ahead is false in every row to fit on"),
            "{never}"
        );
        let always = problem(part(2000, |row| row % 2 == 0 || row > 1500));
        assert!(always.contains("true in every row to test on"), "{always}");
    }
}
