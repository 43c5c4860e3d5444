//! Why records are rejected, from crypto-rejected.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use connector_runtime::record::Record;
use serde::{Deserialize, Serialize};

use crate::state::duplicates::Duplicates;

pub(crate) const REJECTS_MAX: usize = 5_000;

/// The reasons of the newest rejected records, at most [`REJECTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    /// Time, number in the order of arrival, reason; the oldest on top. Partitions are read back one after the other, so the
    /// last to arrive is not the newest.
    newest: BinaryHeap<Reverse<(i64, u64, String)>>,
    arrived: u64,
    by_reason: BTreeMap<String, u64>,
    duplicates: Duplicates,
}

#[derive(Deserialize)]
struct Reject {
    source_offset: i64,
    reason: String,
}

/// How often each reason occurs among the newest rejected records.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RejectCounts {
    /// The number of records counted.
    of: usize,
    by_reason: BTreeMap<String, u64>,
}

impl Rejects {
    /// Takes records of crypto-rejected in. The console skips what it cannot read.
    pub(crate) fn take(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(reject) = serde_json::from_slice::<Reject>(&record.value) else {
                continue;
            };
            if self
                .duplicates
                .is_duplicate(partition, record, reject.source_offset)
            {
                continue;
            }
            *self.by_reason.entry(reject.reason.clone()).or_default() += 1;
            self.arrived += 1;
            let newest = (record.timestamp_ms, self.arrived, reject.reason);
            self.newest.push(Reverse(newest));
            if self.newest.len() > REJECTS_MAX
                && let Some(Reverse((_, _, oldest))) = self.newest.pop()
                && let Some(count) = self.by_reason.get_mut(&oldest)
            {
                *count -= 1;
                if *count == 0 {
                    self.by_reason.remove(&oldest);
                }
            }
        }
    }

    pub(crate) fn counts(&self) -> RejectCounts {
        RejectCounts {
            of: self.newest.len(),
            by_reason: self.by_reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(offset: i64, timestamp_ms: i64, reason: &str) -> Record {
        let value = serde_json::json!({"source_offset": offset, "reason": reason});
        Record {
            offset,
            timestamp_ms,
            key: None,
            value: value.to_string().into(),
        }
    }

    fn many(from: i64, timestamp_ms: i64, reason: &str) -> Vec<Record> {
        (from..from + REJECTS_MAX as i64)
            .map(|offset| reject(offset, timestamp_ms, reason))
            .collect()
    }

    #[test]
    fn reasons_are_counted_among_the_newest() {
        let mut rejects = Rejects::default();
        rejects.take(0, &[reject(0, 0, "late"), reject(1, 0, "late")]);
        rejects.take(0, &many(2, 0, "duplicate")[1..]);
        let counts = rejects.counts();
        assert_eq!(counts.of, REJECTS_MAX);
        assert_eq!(counts.by_reason["late"], 1);
    }

    /// Partitions are read back one after the other.
    #[test]
    fn an_older_record_that_arrives_later_displaces_no_newer_one() {
        let mut rejects = Rejects::default();
        rejects.take(0, &many(0, 2_000, "late"));
        rejects.take(1, &many(0, 1_000, "duplicate"));
        assert_eq!(rejects.counts().by_reason["late"], REJECTS_MAX as u64);
        rejects.take(1, &[reject(REJECTS_MAX as i64, 3_000, "invalid")]);
        let counts = rejects.counts();
        assert_eq!(counts.by_reason["invalid"], 1);
        assert_eq!(counts.by_reason["late"], REJECTS_MAX as u64 - 1);
    }

    #[test]
    fn a_reason_without_records_is_forgotten() {
        let mut rejects = Rejects::default();
        rejects.take(0, &[reject(0, 0, "late"), reject(1, 0, "late")]);
        rejects.take(0, &many(2, 1, "duplicate"));
        let counts = rejects.counts();
        assert_eq!(counts.of, REJECTS_MAX);
        assert_eq!(counts.by_reason.get("late"), None);
    }
}
