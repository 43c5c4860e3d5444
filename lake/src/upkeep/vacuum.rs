//! Files that nobody needs any more.
//!
//! Always true: a file goes only when it is older than a day by the store's own clock, no entry names it, and no entry of
//! the last day removed it; an entry goes only when a checkpoint covers it. Whoever began to read a table less than a day
//! ago finds everything. (A stage gives up a commit whose files it wrote half a day ago: [`crate::TableWriter::commit`].)

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::error::UpkeepError;
use super::former::FormerName;
use super::watch::Step;
use super::{Extent, Upkeep};
use crate::error::LakeError;
use crate::lake::{Lake, Listed};
use crate::local::TEMPORARY;
use crate::log::entry::Listing;
use crate::table::{DAY_MS, IMPORTED, Snapshot, Table};

/// Files that are removed at a time.
const DELETIONS: usize = 8;

/// What vacuum did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Vacuumed {
    /// The table; `_tmp` for temporary files of the lake.
    pub table: String,
    /// Data files removed from the store. Their rows are not counted.
    pub data: Extent,
    /// Entries and checkpoints removed from the store.
    pub log: Extent,
}

impl Upkeep {
    /// Removes what no entry names, and entries that a checkpoint covers, if both are older than a day; `None` when there
    /// is no such table of Coinlake's.
    ///
    /// # Errors
    /// When the lake fails, or it is stopped.
    pub async fn vacuum(&self, table: &Table) -> Result<Option<Vacuumed>, UpkeepError> {
        // Listed before the log is read: what is named in between is young.
        let lake = table.lake();
        let listed = lake.list(table.name(), None).await?;
        let Some(snapshot) = self.snapshot_of(table).await? else {
            return Ok(None);
        };
        let before_ms = self.store_now_ms(lake, &listed).await? - DAY_MS;
        let data = self.unnamed(&snapshot, &listed, before_ms);
        let mut entries = Listing::of(listed);
        if self
            .checkpoint_if_due(&snapshot, &entries, before_ms)
            .await?
        {
            entries = table.log().list(0).await?;
        }
        let log = covered(&entries, before_ms);
        let report = Vacuumed {
            table: table.name().to_owned(),
            data: Extent::of(&data),
            log: Extent::of(&log),
        };
        let planned = data.len() + log.len();
        self.watch.step(Step::DeletionsPlanned(planned as u64))?;
        if !self.dry_run {
            self.delete(lake, &data, DELETIONS).await?;
            // In order, so that what is left of the log has no gap.
            self.delete(lake, &log, 1).await?;
            lake.remove_empty_folders(table.name(), before_ms).await?;
        }
        Ok(Some(report))
    }

    /// Removes what writers left half written a day ago.
    ///
    /// # Errors
    /// As [`Upkeep::vacuum`].
    pub async fn vacuum_temporary(&self, lake: &Lake) -> Result<Vacuumed, UpkeepError> {
        let listed = lake.list(TEMPORARY, None).await?;
        let mut report = Vacuumed {
            table: TEMPORARY.to_owned(),
            ..Vacuumed::default()
        };
        if listed.is_empty() {
            return Ok(report);
        }
        let before_ms = self.store_now_ms(lake, &listed).await? - DAY_MS;
        let old = listed
            .into_iter()
            .filter(|file| file.modified_ms < before_ms);
        let old: Vec<Listed> = old.collect();
        report.data = Extent::of(&old);
        if !self.dry_run {
            self.delete(lake, &old, DELETIONS).await?;
        }
        Ok(report)
    }

    /// The store's time, unless a test says what it is.
    async fn store_now_ms(&self, lake: &Lake, listed: &[Listed]) -> Result<i64, LakeError> {
        match self.store_now_ms {
            Some(now_ms) => Ok(now_ms),
            // Asking writes a file.
            None if self.dry_run => Ok(self.now_ms),
            None => match lake.now_ms().await {
                // A full store needs it most. It is at least as late as its newest file.
                Err(error @ LakeError::NoSpace { .. }) => {
                    let newest_ms = listed.iter().map(|file| file.modified_ms).max();
                    newest_ms.ok_or(error)
                }
                now_ms => now_ms,
            },
        }
    }

    /// Data files that count for nobody.
    fn unnamed(&self, snapshot: &Snapshot, listed: &[Listed], before_ms: i64) -> Vec<Listed> {
        let name = snapshot.table().name();
        let mut kept: HashSet<String> = snapshot.files().iter().map(|f| f.path.clone()).collect();
        for (path, removed_ms) in snapshot.tombstones() {
            if removed_ms > self.now_ms - DAY_MS {
                let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                kept.insert(format!("{name}/{path}"));
            }
        }
        let is_hidden = |path: &str| {
            let below = path.strip_prefix(name).unwrap_or(path).split('/');
            below.into_iter().any(|part| part.starts_with(['_', '.']))
        };
        let imported_ms = snapshot.properties().get(IMPORTED);
        let imported_ms = imported_ms.and_then(|ms| ms.parse::<i64>().ok());
        let is_new = imported_ms.is_some_and(|imported_ms| imported_ms > self.now_ms - DAY_MS);
        let unnamed = listed.iter().filter(|file| {
            let is_kept = kept.contains(&file.path)
                || is_hidden(&file.path) && !is_half_written(&file.path)
                || is_new && FormerName::parse(&file.path).is_some();
            file.modified_ms < before_ms && !is_kept
        });
        unnamed.cloned().collect()
    }

    /// Writes a checkpoint when old entries could go if there was a newer one; whether it did.
    async fn checkpoint_if_due(
        &self,
        snapshot: &Snapshot,
        listed: &Listing,
        before_ms: i64,
    ) -> Result<bool, UpkeepError> {
        let covered_to = listed.newest_checkpoint().map_or(0, |(version, _)| version);
        let old = listed.entries.range(covered_to..snapshot.version());
        let due = old.filter(|(_, file)| file.modified_ms < before_ms).count() > 1;
        if due && !self.dry_run {
            match snapshot.write_checkpoint(self.now_ms - DAY_MS).await {
                // Old entries stay until there is space for it.
                Err(LakeError::NoSpace { .. }) => return Ok(false),
                written => written?,
            }
            self.watch.step(Step::CheckpointWritten)?;
            return Ok(true);
        }
        Ok(false)
    }

    async fn delete(
        &self,
        lake: &Lake,
        files: &[Listed],
        at_a_time: usize,
    ) -> Result<(), UpkeepError> {
        stream::iter(files)
            .map(Ok)
            .try_for_each_concurrent(at_a_time, |file| async move {
                lake.delete(&file.path).await?;
                self.watch.step(Step::Deleted)
            })
            .await
    }
}

/// Entries and checkpoints that are older than `before_ms` and that a newer checkpoint covers, ascending.
fn covered(listed: &Listing, before_ms: i64) -> Vec<Listed> {
    let Some((checkpoint, _)) = listed.newest_checkpoint() else {
        return Vec::new();
    };
    // The entry of the checkpoint itself stays: it may be the newest.
    let entries = listed.entries.range(..checkpoint);
    let old = entries.take_while(|(_, file)| file.modified_ms < before_ms);
    let mut covered: Vec<(u64, Listed)> = old.map(|(v, file)| (*v, file.clone())).collect();
    for (version, (parts, _)) in listed.checkpoints.range(..checkpoint) {
        let old = parts.iter().filter(|file| file.modified_ms < before_ms);
        covered.extend(old.map(|file| (*version, file.clone())));
    }
    covered.sort_by_key(|(version, _)| *version);
    covered.into_iter().map(|(_, file)| file).collect()
}

/// Whether a writer to HDFS left it: killed between writing the file `.NAME.tmp` and giving it its name. Where that file is in
/// the way, the next one is `.NAME.tmp.1`.
fn is_half_written(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.starts_with('.') && (name.ends_with(".tmp") || name.ends_with(".tmp."))
}
