//! A data file of a table.

use std::sync::Arc;

use super::stats::FileStats;
use crate::log::action::Add;

/// The tag of a file whose rows optimize sorted: the columns, separated by commas.
pub(crate) const SORTED: &str = "coinlake.sorted";

/// A data file that counts, as the log describes it. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Relative to the lake.
    pub path: String,
    /// The day of its rows, `YYYY-MM-DD` in UTC; `None` when they have none.
    pub date: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its rows; 0 when another program added it and did not count them.
    pub rows: u64,
    /// When the newest of its rows were added, in milliseconds since the epoch.
    pub added_ms: i64,
    stats: Arc<FileStats>,
    /// The action that added it.
    pub(crate) add: Arc<Add>,
}

impl DataFile {
    pub(crate) fn new(table: &str, add: &Arc<Add>) -> Self {
        let stats = add.stats.as_deref().and_then(FileStats::parse);
        let stats = stats.unwrap_or_default();
        let path = percent_encoding::percent_decode_str(&add.path).decode_utf8_lossy();
        Self {
            path: format!("{table}/{path}"),
            date: add.partition_values.get("date").cloned().flatten(),
            bytes: u64::try_from(add.size).unwrap_or(0),
            rows: stats.num_records.unwrap_or(0),
            added_ms: add.modification_time,
            stats: Arc::new(stats),
            add: Arc::clone(add),
        }
    }

    /// Its rows, where the log says how many they are.
    pub(crate) fn counted_rows(&self) -> Option<u64> {
        self.stats.num_records
    }

    /// The bounds of an integer column, or of a timestamp column in milliseconds since the epoch. They may be wider than
    /// its values. `None`: the file may hold anything.
    pub fn bounds(&self, column: &str) -> Option<(i64, i64)> {
        self.stats.bounds(column)
    }

    /// The columns by which its rows are sorted, separated by commas; `None` when they are as they came.
    pub fn sorted_by(&self) -> Option<&str> {
        self.add.tags.as_ref()?.get(SORTED)?.as_deref()
    }

    /// Whether a string column may hold this value, by its bounds.
    pub fn may_hold(&self, column: &str, value: &str) -> bool {
        self.stats.may_hold(column, value)
    }
}
