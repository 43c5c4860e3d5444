//! The entries of a table's log that are left, newest first.

use std::future;

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::handle::Table;
use super::stats::FileStats;
use super::summary::{DOMAIN, Summary};
use crate::error::LakeError;
use crate::log::action::Action;
use crate::log::entry::READ_AHEAD;

/// What an entry did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HistoryEntry {
    /// Its number.
    pub version: u64,
    /// When it was made, in milliseconds since the epoch.
    pub at_ms: i64,
    /// `WRITE`, `OPTIMIZE`, `DELETE`, …
    pub operation: String,
    /// Who moved its position by it: stage, topic and partition.
    pub app: Option<String>,
    /// Files added.
    pub added_files: u64,
    /// Rows in them.
    pub added_rows: u64,
    /// Files removed.
    pub removed_files: u64,
    /// Rows of the table after it; unknown when another program made it.
    pub rows: Option<u64>,
}

impl Table {
    /// The newest entries, at most `limit`: upkeep removes those older than a day. `None` when there is no such table.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn history(&self, limit: usize) -> Result<Option<Vec<HistoryEntry>>, LakeError> {
        let log = self.log();
        let listed = log.list(0).await?;
        if listed.entries.is_empty() {
            return Ok(None);
        }
        let versions = listed.entries.into_keys().rev().take(limit).collect();
        Ok(Some(self.entries(versions).try_collect().await?))
    }

    /// The entries made from a time on, in milliseconds since the epoch, the newest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn history_since(&self, since_ms: i64) -> Result<Vec<HistoryEntry>, LakeError> {
        let listed = self.log().list(0).await?;
        let entries = self.entries(listed.entries.into_keys().rev().collect());
        let is_new = |entry: &HistoryEntry| future::ready(Ok(entry.at_ms >= since_ms));
        entries.try_take_while(is_new).try_collect().await
    }

    fn entries(
        &self,
        versions: Vec<u64>,
    ) -> impl Stream<Item = Result<HistoryEntry, LakeError>> + '_ {
        let log = self.log();
        let read = stream::iter(versions)
            .map(move |version| async move {
                let actions = log.read(version).await?;
                Ok::<_, LakeError>(actions.map(|actions| HistoryEntry::of(version, actions)))
            })
            .buffered(READ_AHEAD);
        // One that upkeep removed meanwhile is history no more.
        read.try_filter_map(|entry| async move { Ok(entry) })
    }
}

impl HistoryEntry {
    fn of(version: u64, actions: Vec<Action>) -> Self {
        let mut entry = Self {
            version,
            ..Self::default()
        };
        for action in actions {
            match action {
                Action::CommitInfo(info) => {
                    entry.at_ms = info.timestamp;
                    entry.operation = info.operation;
                }
                Action::Add(add) => {
                    let stats = add.stats.as_deref().and_then(FileStats::parse);
                    entry.added_files += 1;
                    entry.added_rows += stats.and_then(|stats| stats.num_records).unwrap_or(0);
                }
                Action::Remove(_) => entry.removed_files += 1,
                Action::Txn(txn) => entry.app = Some(txn.app_id),
                Action::DomainMetadata(domain) if domain.domain == DOMAIN => {
                    let totals = serde_json::from_str::<Summary>(&domain.configuration);
                    entry.rows = totals.ok().map(|totals| totals.rows);
                }
                _ => {}
            }
        }
        entry
    }
}
