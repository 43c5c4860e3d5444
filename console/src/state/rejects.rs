//! Why records are rejected, from crypto-rejected.

use std::collections::{BTreeMap, VecDeque};

use connector_runtime::record::Record;
use serde::{Deserialize, Serialize};

use crate::state::duplicates::Duplicates;

pub(crate) const REJECTS_MAX: usize = 5_000;

/// The reasons of the newest rejected records, at most [`REJECTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    /// Oldest first.
    newest: VecDeque<String>,
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
            if self.newest.len() == REJECTS_MAX
                && let Some(reason) = self.newest.pop_front()
                && let Some(count) = self.by_reason.get_mut(&reason)
            {
                *count -= 1;
            }
            *self.by_reason.entry(reject.reason.clone()).or_default() += 1;
            self.newest.push_back(reject.reason);
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

    fn record(value: serde_json::Value) -> Record {
        Record {
            offset: value["source_offset"].as_i64().unwrap(),
            timestamp_ms: 0,
            key: None,
            value: value.to_string().into(),
        }
    }

    #[test]
    fn reasons_are_counted_among_the_newest() {
        let reject = |offset: i64, reason: &str| {
            record(serde_json::json!({"source_offset": offset, "reason": reason}))
        };
        let mut rejects = Rejects::default();
        rejects.take(0, &[reject(0, "late"), reject(1, "late")]);
        let many: Vec<_> = (0..REJECTS_MAX as i64 - 1)
            .map(|i| reject(2 + i, "duplicate"))
            .collect();
        rejects.take(0, &many);
        let counts = rejects.counts();
        assert_eq!(counts.of, REJECTS_MAX);
        assert_eq!(counts.by_reason["late"], 1);
    }
}
