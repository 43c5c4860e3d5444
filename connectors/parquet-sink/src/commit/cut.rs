//! When to cut: close the files of all tables at one input offset and commit.
//!
//! Always true: the decision depends on the arguments only; it reads no clock.

use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::encode::LayerState;

/// A stage without rows commits its progress after this many inputs…
pub(super) const EMPTY_COMMIT_INPUTS: u64 = 100_000;
/// …or after this time.
pub const EMPTY_COMMIT_INTERVAL: Duration = Duration::from_secs(3600);

/// What a partition took since the last cut.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SinceCut {
    /// Inputs, with or without rows.
    pub inputs: u64,
    /// Rows in all tables.
    pub rows: u64,
    /// Rows of the table that has most.
    pub table_rows: u64,
    /// Size of the files of the table that has most.
    pub table_bytes: u64,
    /// Memory of this partition: files being built, and outputs waiting for their topic.
    pub memory_bytes: u64,
    /// When the first input came.
    pub first_input: Option<Instant>,
    /// When the first row came.
    pub first_row: Option<Instant>,
}

/// Why a cut is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// `rows_max` is reached.
    Rows,
    /// `bytes_max` is reached.
    Bytes,
    /// This partition's share of `memory_max` is used up.
    Memory,
    /// The oldest row has waited for `interval`.
    Age,
    /// There is no row, but [`EMPTY_COMMIT_INPUTS`] or [`EMPTY_COMMIT_INTERVAL`] is reached.
    Progress,
    /// Somebody asked for it.
    Asked,
    /// The SmartModule was replaced.
    ModuleReplaced,
    /// The stream broke.
    StreamBroke,
    /// The stage stops.
    Stop,
}

impl SinceCut {
    /// Adds what a table's files hold.
    pub(crate) fn add(&mut self, layer: &LayerState) {
        self.rows += layer.rows();
        self.table_rows = self.table_rows.max(layer.rows());
        self.table_bytes = self.table_bytes.max(layer.file_bytes());
        self.memory_bytes += layer.file_bytes() + layer.waiting_bytes();
        self.first_row = match (self.first_row, layer.first_row_at()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// The limit that is reached, if one is. `memory_max` is this partition's share.
    pub(crate) fn due(&self, limits: &Limits, memory_max: u64, now: Instant) -> Option<Cause> {
        if self.inputs == 0 {
            return None;
        }
        if self.table_rows >= limits.rows_max {
            return Some(Cause::Rows);
        }
        if self.table_bytes >= limits.bytes_max.as_u64() {
            return Some(Cause::Bytes);
        }
        if self.rows > 0 && self.memory_bytes >= memory_max {
            return Some(Cause::Memory);
        }
        if self.rows == 0 && self.inputs >= EMPTY_COMMIT_INPUTS {
            return Some(Cause::Progress);
        }
        let deadline = self.deadline(limits)?;
        match (now >= deadline, self.rows) {
            (false, _) => None,
            (true, 0) => Some(Cause::Progress),
            (true, _) => Some(Cause::Age),
        }
    }

    /// When time alone makes a cut due; `None` without inputs.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        match self.first_row {
            Some(first) => Some(first + limits.interval),
            None => self.first_input.map(|first| first + EMPTY_COMMIT_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    const MEMORY_MAX: u64 = 1 << 20;

    fn limits() -> Limits {
        Limits {
            rows_max: 1000,
            bytes_max: ByteSize::kib(64),
            interval: Duration::from_secs(60),
            memory_max: ByteSize::mib(16),
        }
    }

    fn since(start: Instant) -> SinceCut {
        SinceCut {
            inputs: 10,
            rows: 5,
            table_rows: 5,
            first_input: Some(start),
            first_row: Some(start + Duration::from_secs(1)),
            ..SinceCut::default()
        }
    }

    fn cause(change: impl FnOnce(&mut SinceCut), after_secs: u64) -> Option<Cause> {
        let start = Instant::now();
        let mut since = since(start);
        change(&mut since);
        since.due(
            &limits(),
            MEMORY_MAX,
            start + Duration::from_secs(after_secs),
        )
    }

    #[test]
    fn cuts_on_rows() {
        assert_eq!(cause(|since| since.table_rows = 999, 0), None);
        assert_eq!(cause(|since| since.table_rows = 1000, 0), Some(Cause::Rows));
    }

    #[test]
    fn cuts_on_size() {
        assert_eq!(cause(|since| since.table_bytes = (64 << 10) - 1, 0), None);
        assert_eq!(
            cause(|since| since.table_bytes = 64 << 10, 0),
            Some(Cause::Bytes)
        );
    }

    #[test]
    fn cuts_on_memory() {
        assert_eq!(
            cause(|since| since.memory_bytes = MEMORY_MAX, 0),
            Some(Cause::Memory)
        );
    }

    #[test]
    fn cuts_on_age_of_the_first_row() {
        assert_eq!(cause(|_| {}, 60), None);
        assert_eq!(cause(|_| {}, 61), Some(Cause::Age));
    }

    #[test]
    fn without_rows_cuts_only_after_many_inputs_or_an_hour() {
        let without_rows = |inputs| {
            move |since: &mut SinceCut| {
                (since.inputs, since.rows) = (inputs, 0);
                (since.table_rows, since.first_row) = (0, None);
            }
        };
        assert_eq!(cause(without_rows(99_999), 3599), None);
        assert_eq!(cause(without_rows(100_000), 0), Some(Cause::Progress));
        assert_eq!(cause(without_rows(1), 3600), Some(Cause::Progress));
    }

    #[test]
    fn never_cuts_without_inputs() {
        assert_eq!(cause(|since| since.inputs = 0, 1_000_000), None);
    }
}
