//! Whole days that are older than the table keeps.

use std::time::Duration;

use serde::Serialize;

use super::error::UpkeepError;
use super::optimize::Failure;
use super::plan;
use super::watch::Step;
use super::{Extent, Upkeep};
use crate::table::{DAY_MS, DataFile, Snapshot, Table, Transaction};

/// What expire did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expired {
    /// The table.
    pub table: String,
    /// What it held.
    pub before: Extent,
    /// What expired.
    pub removed: Extent,
    /// The first and the last day that expired.
    pub dates: Option<(String, String)>,
    /// Why nothing was removed: others changed the same files, or the table keeps all rows.
    pub given_up: Option<String>,
}

/// A clock that is less than this ahead costs a few days, and lakes are off for as long.
const GAP_MS: i64 = 7 * DAY_MS;
/// Delta's property of tables that lose no rows.
const APPEND_ONLY: &str = "delta.appendOnly";

impl Upkeep {
    /// Removes the days of which even the last row is older than the table keeps, or than `keep` if that is given; `None`
    /// when there is no such table of Coinlake's. Readers of older snapshots still find their files for a day.
    ///
    /// # Errors
    /// When the lake fails, or it is stopped.
    pub async fn expire(
        &self,
        table: &Table,
        keep: Option<Duration>,
    ) -> Result<Option<Expired>, UpkeepError> {
        match self.snapshot_of(table).await? {
            Some(mut snapshot) => self.expire_from(&mut snapshot, keep).await.map(Some),
            None => Ok(None),
        }
    }

    /// [`Upkeep::expire`] on a snapshot, which goes on with the entry that is made.
    pub(super) async fn expire_from(
        &self,
        snapshot: &mut Snapshot,
        keep: Option<Duration>,
    ) -> Result<Expired, UpkeepError> {
        let keep = keep.or(snapshot.spec().keep);
        let keep_ms = keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let now_ms = settled_ms(snapshot.files()).map_or(self.now_ms, |newest_ms| {
            // A clock that is far ahead must not remove everything.
            self.now_ms.min(newest_ms.saturating_add(DAY_MS))
        });
        let kept_since_ms = keep_ms.map(|keep_ms| now_ms.saturating_sub(keep_ms));
        // The day in which rows are just old enough has younger ones, too.
        let first_kept = kept_since_ms.and_then(plan::date_of);
        let is_old = |date: &String| first_kept.as_ref().is_some_and(|first| date < first);
        let files = snapshot.files().iter();
        let old: Vec<_> = files
            .filter(|file| file.date.as_ref().is_some_and(is_old))
            .cloned()
            .collect();
        let date = |file: Option<&DataFile>| file.and_then(|file| file.date.clone());
        let mut report = Expired {
            table: snapshot.table().name().to_owned(),
            before: Extent::of(snapshot.files()),
            removed: Extent::of(&old),
            dates: date(old.first()).zip(date(old.last())),
            given_up: None,
        };
        if !old.is_empty() && is_append_only(snapshot) {
            (report.removed, report.dates) = (Extent::default(), None);
            report.given_up = Some(format!("its property {APPEND_ONLY} keeps all rows"));
            return Ok(report);
        }
        if old.is_empty() || self.dry_run {
            return Ok(report);
        }
        let writer = snapshot.writer()?;
        let mut transaction = Transaction::remove(&old, self.now_ms);
        match self.commit(&writer, &mut transaction).await {
            Ok(()) => self.watch.step(Step::EntryMade)?,
            Err(Failure::Upkeep(error)) => return Err(error),
            Err(Failure::Overtaken(reason)) => {
                (report.removed, report.dates) = (Extent::default(), None);
                report.given_up = Some(reason);
            }
        }
        snapshot.refresh().await?;
        Ok(report)
    }
}

fn is_append_only(snapshot: &Snapshot) -> bool {
    let property = snapshot.properties().get(APPEND_ONLY);
    property.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// When the newest file was added. Less than a day of files after a gap does not count: the clock may have been ahead when they
/// were added. A lake that was off for that long expires days again a day or two after its return.
fn settled_ms(files: &[DataFile]) -> Option<i64> {
    let mut added: Vec<i64> = files.iter().map(|file| file.added_ms).collect();
    added.sort_unstable();
    let newest = *added.last()?;
    let is_gap = |pair: &&[i64]| pair[1].saturating_sub(pair[0]) > GAP_MS;
    let gap = added.windows(2).rev().find(is_gap);
    let before = gap.filter(|pair| newest.saturating_sub(pair[1]) < DAY_MS);
    Some(before.map_or(newest, |pair| pair[0]))
}
