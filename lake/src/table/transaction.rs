//! An entry to be made.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::file::{DataFile, SORTED};
use super::spec::DATE;
use super::stamp::CommitStamp;
use super::stats::FileStats;
use crate::log::action::{Action, Add, CommitInfo, DomainMetadata, MetaData, Remove, Txn};

/// A data file that is written and that no entry names yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFile {
    /// Relative to the table.
    pub path: String,
    /// The day of its rows, `YYYY-MM-DD`; `None` when they have none.
    pub date: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// When it was written, in milliseconds since the epoch.
    pub written_ms: i64,
    /// When the newest of its rows were added to the table; later than `written_ms` never.
    pub(crate) added_ms: i64,
    /// The columns by which its rows are sorted, separated by commas.
    pub(crate) sorted_by: Option<String>,
    pub(crate) stats: FileStats,
}

/// An entry to be made: which files come and go, and how far its writer is with them.
#[derive(Debug, Clone)]
pub struct Transaction {
    info: CommitInfo,
    pub(crate) stamp: Option<CommitStamp>,
    pub(crate) metadata: Option<MetaData>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    /// When the oldest file of `adds` was written, or without one the transaction begun, in milliseconds since the epoch.
    pub(crate) written_ms: i64,
    /// The rows of `adds`.
    pub(crate) added_rows: u64,
    /// The rows of `removes`.
    pub(crate) removed_rows: u64,
    /// The first number that was tried: whether it succeeded may be unknown.
    pub(crate) first_tried: Option<u64>,
}

impl Transaction {
    /// A stage's rows, up to the input that the stamp names. Without files it only moves the stage's position.
    pub fn append(stamp: CommitStamp, files: Vec<NewFile>) -> Self {
        Self {
            written_ms: oldest(&files),
            added_rows: files.iter().map(|file| file.rows).sum(),
            adds: files.into_iter().map(|file| file.into_add(true)).collect(),
            stamp: Some(stamp.clone()),
            ..Self::new("WRITE", stamp.committed_at_ms)
        }
    }

    /// The same rows in other files.
    pub(crate) fn rewrite(removed: &[DataFile], added: Vec<NewFile>, now_ms: i64) -> Self {
        Self {
            written_ms: oldest(&added),
            added_rows: added.iter().map(|file| file.rows).sum(),
            adds: added.into_iter().map(|file| file.into_add(false)).collect(),
            removes: removed
                .iter()
                .map(|file| removal(file, false, now_ms))
                .collect(),
            removed_rows: removed.iter().map(|file| file.rows).sum(),
            ..Self::new("OPTIMIZE", now_ms)
        }
    }

    /// Rows that go.
    pub(crate) fn remove(removed: &[DataFile], now_ms: i64) -> Self {
        Self {
            removes: removed
                .iter()
                .map(|file| removal(file, true, now_ms))
                .collect(),
            removed_rows: removed.iter().map(|file| file.rows).sum(),
            ..Self::new("DELETE", now_ms)
        }
    }

    /// Another description of the table.
    pub(crate) fn describe(metadata: MetaData, now_ms: i64) -> Self {
        Self {
            metadata: Some(metadata),
            ..Self::new("SET TBLPROPERTIES", now_ms)
        }
    }

    fn new(operation: &str, at_ms: i64) -> Self {
        Self {
            info: CommitInfo::new(operation, at_ms),
            stamp: None,
            metadata: None,
            adds: Vec::new(),
            removes: Vec::new(),
            written_ms: oldest(&[]),
            added_rows: 0,
            removed_rows: 0,
            first_tried: None,
        }
    }

    /// The entry's own id.
    pub(crate) fn id(&self) -> &str {
        &self.info.txn_id
    }

    /// When it is made, in milliseconds since the epoch.
    pub(crate) fn at_ms(&self) -> i64 {
        self.info.timestamp
    }

    /// The actions of its entry, but for the table's totals.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let metric = |name: &str, count: usize| (name.to_owned(), count.to_string().into());
        let info = CommitInfo {
            operation_metrics: BTreeMap::from([
                metric("numAddedFiles", self.adds.len()),
                metric("numRemovedFiles", self.removes.len()),
            ]),
            ..self.info.clone()
        };
        let mut actions = vec![Action::CommitInfo(info)];
        actions.extend(self.metadata.clone().map(Action::MetaData));
        if let Some(stamp) = &self.stamp {
            actions.extend(position(stamp, self.at_ms()));
        }
        actions.extend(self.removes.iter().cloned().map(Action::Remove));
        actions.extend(self.adds.iter().cloned().map(Action::Add));
        actions
    }
}

/// When the oldest of the files was written; now, if there is none.
fn oldest(files: &[NewFile]) -> i64 {
    let written = files.iter().map(|file| file.written_ms);
    let now_ms = Timestamp::now().as_millisecond();
    written.min().unwrap_or(now_ms)
}

/// The actions that move a stage's position.
pub(crate) fn position(stamp: &CommitStamp, at_ms: i64) -> [Action; 2] {
    let app_id = stamp.app.to_string();
    [
        Action::Txn(Txn {
            app_id: app_id.clone(),
            version: stamp.last_offset,
            last_updated: Some(at_ms),
        }),
        Action::DomainMetadata(DomainMetadata {
            domain: app_id,
            configuration: stamp.to_json(),
            removed: false,
        }),
    ]
}

impl NewFile {
    pub(crate) fn into_add(self, data_change: bool) -> Add {
        Add {
            path: self.path,
            partition_values: BTreeMap::from([(DATE.to_owned(), self.date)]),
            size: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            modification_time: self.added_ms,
            data_change,
            stats: Some(self.stats.to_json()),
            tags: self
                .sorted_by
                .map(|columns| BTreeMap::from([(SORTED.to_owned(), Some(columns))])),
        }
    }
}

fn removal(file: &DataFile, data_change: bool, now_ms: i64) -> Remove {
    Remove {
        path: file.add.path.clone(),
        deletion_timestamp: Some(now_ms),
        data_change,
        extended_file_metadata: Some(true),
        partition_values: Some(file.add.partition_values.clone()),
        size: Some(file.add.size),
    }
}
