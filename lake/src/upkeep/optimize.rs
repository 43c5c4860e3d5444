//! Small files become one, sorted.
//!
//! So does the log: a checkpoint stands for its entries.
//!
//! Always true: an entry removes the files that were read and adds those that hold their rows, both or neither. Files
//! written before it are nobody's.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::error::{RewriteError, UpkeepError};
use super::order::Order;
use super::plan::{self, MergeGroup};
use super::rewrite::{Input, Output, Rewrite};
use super::scratch::Scratch;
use super::shape::Shape;
use super::watch::Step;
use super::{Extent, Upkeep};
use crate::table::{CommitError, DAY_MS, NewFile, Snapshot, Table, Transaction};

/// How often an entry is tried when the store fails.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// A reader opens each entry after the newest checkpoint: with more than so many, a query takes longer for them than for its rows.
const LOG_TAIL_MAX: u64 = 5;
/// The niceness of a rewrite beside other work.
const NICE: i32 = 10;

/// What optimize did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Optimized {
    /// The table.
    pub table: String,
    /// What it held.
    pub before: Extent,
    /// What it holds now.
    pub after: Extent,
    /// The files to be rewritten.
    pub planned: Extent,
    /// Those that were.
    pub rewritten: Extent,
    /// The files in their place.
    pub written: Extent,
    /// Why it ended early: others changed the same files.
    pub given_up: Option<String>,
}

impl Upkeep {
    /// Makes few sorted files of many small ones, as [`super::plan`] says; `None` when there is no such table of Coinlake's.
    ///
    /// # Errors
    /// When the lake fails, or it is stopped. What was done until then counts.
    pub async fn optimize(&self, table: &Table) -> Result<Option<Optimized>, UpkeepError> {
        match self.snapshot_of(table).await? {
            Some(mut snapshot) => self.optimize_from(&mut snapshot).await.map(Some),
            None => Ok(None),
        }
    }

    /// [`Upkeep::optimize`] on a snapshot, which goes on with the entries that are made.
    pub(super) async fn optimize_from(
        &self,
        snapshot: &mut Snapshot,
    ) -> Result<Optimized, UpkeepError> {
        let before = Extent::of(snapshot.files());
        let file_bytes = self.file_bytes_of(snapshot.spec());
        let groups = plan::plan(snapshot.files(), self.now_ms, file_bytes);
        let planned = groups.iter().map(|group| Extent::of(&group.files)).sum();
        let mut report = Optimized {
            table: snapshot.table().name().to_owned(),
            before,
            after: before,
            planned,
            rewritten: Extent::default(),
            written: Extent::default(),
            given_up: None,
        };
        self.watch.step(Step::RowsPlanned(planned.rows))?;
        if self.dry_run {
            return Ok(report);
        }
        let mut failed = None;
        for group in &groups {
            match self.merge(snapshot, group).await {
                Ok(written) => {
                    report.rewritten += Extent::of(&group.files);
                    report.written += written;
                }
                Err(Failure::Upkeep(UpkeepError::Stopped)) => return Err(UpkeepError::Stopped),
                // The other groups are no worse for it.
                Err(Failure::Upkeep(error)) => drop(failed.get_or_insert(error)),
                Err(Failure::Overtaken(reason)) => {
                    report.given_up = Some(reason);
                    break;
                }
            }
        }
        snapshot.refresh().await?;
        report.after = Extent::of(snapshot.files());
        if snapshot.entries_since_checkpoint() >= LOG_TAIL_MAX {
            snapshot.write_checkpoint(self.now_ms - DAY_MS).await?;
            self.watch.step(Step::CheckpointWritten)?;
        }
        failed.map_or(Ok(report), Err)
    }

    async fn merge(&self, snapshot: &mut Snapshot, group: &MergeGroup) -> Result<Extent, Failure> {
        let table = snapshot.table().clone();
        let broken = |reason: String| table.lake().broken(table.name(), reason);
        let spec = snapshot.spec();
        let sorted_by = spec.sort.join(",");
        let mut files: Vec<_> = group.files.iter().collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
        let inputs = files.into_iter().map(|file| Input {
            path: file.path.clone(),
            rows: file.counted_rows(),
            is_sorted: file.sorted_by() == Some(sorted_by.as_str()),
        });
        let shape = Shape {
            schema: spec.arrow_schema().map_err(broken)?,
            renamed: &[],
        };
        let order = Order {
            columns: spec.sort.clone(),
            day: None,
        };
        let file_bytes = self.file_bytes_of(spec);
        let outputs = self.rewrite(&table, inputs.collect(), shape, order, file_bytes);
        let outputs = outputs.await?;
        let added_ms = group.files.iter().map(|file| file.added_ms).max();
        let mut added = Vec::new();
        for output in outputs {
            let date = group.date.as_deref();
            let file = table.put_file("sorted", date, output.path, &output.metadata);
            let file = file.await?;
            added.push(NewFile {
                added_ms: added_ms.unwrap_or(file.written_ms),
                sorted_by: Some(sorted_by.clone()),
                ..file
            });
            self.watch.step(Step::FilePut)?;
        }
        let written = Extent::of(&added);
        self.replace(snapshot, group, added).await?;
        self.watch.step(Step::EntryMade)?;
        Ok(written)
    }

    /// Writes the rows of files to new ones, in a thread of its own.
    pub(super) async fn rewrite(
        &self,
        table: &Table,
        inputs: Vec<Input>,
        shape: Shape,
        order: Order,
        file_bytes: u64,
    ) -> Result<Vec<Output>, UpkeepError> {
        let lake = table.lake();
        let rewrite = Rewrite {
            inputs,
            shape,
            order,
            file_bytes,
            lake: lake.clone(),
            runtime: Handle::current(),
            scratch: Scratch::of(lake),
            watch: self.watch.clone(),
        };
        let (send, receive) = oneshot::channel();
        let low_priority = self.low_priority;
        let work = move || {
            if low_priority {
                // Of this thread. Without it the rewrite is as urgent as everything else.
                let _ = rustix::process::setpriority_process(None, NICE);
            }
            let _ = send.send(rewrite.run());
        };
        let io = |error| lake.local_error(table.name(), &error);
        let thread = std::thread::Builder::new().name("upkeep".to_owned());
        thread.spawn(work).map_err(io)?;
        let broken = |reason: String| lake.broken(table.name(), reason);
        let rewritten = receive.await;
        let rewritten = rewritten.map_err(|_| broken("its rewriting panicked".to_owned()))?;
        rewritten.map_err(|error| match error {
            RewriteError::Stopped => UpkeepError::Stopped,
            RewriteError::Lake(error) => error.into(),
            RewriteError::Io(error) => lake.temporary_error(&error).into(),
            error => broken(error.to_string()).into(),
        })
    }

    /// Makes the entry, if all files of the group still count.
    async fn replace(
        &self,
        snapshot: &mut Snapshot,
        group: &MergeGroup,
        added: Vec<NewFile>,
    ) -> Result<(), Failure> {
        snapshot.refresh().await?;
        let live: HashSet<&str> = snapshot.files().iter().map(|f| f.path.as_str()).collect();
        if let Some(gone) = group.files.iter().find(|f| !live.contains(f.path.as_str())) {
            return Err(Failure::Overtaken(format!(
                "{} was removed meanwhile",
                gone.path
            )));
        }
        // From here on the writer sees every entry that others make.
        let writer = snapshot.writer()?;
        let mut transaction = Transaction::rewrite(&group.files, added, self.now_ms);
        self.commit(&writer, &mut transaction).await
    }

    /// Makes an entry, however often the store fails for a moment.
    pub(super) async fn commit(
        &self,
        writer: &crate::table::TableWriter,
        transaction: &mut Transaction,
    ) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            match writer.commit(transaction).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Lake(error)) if error.is_transient() && attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(CommitError::Lake(error)) => return Err(error.into()),
                Err(error) => return Err(Failure::Overtaken(error.to_string())),
            }
        }
    }
}

/// Why a group of files was not rewritten.
pub(super) enum Failure {
    Upkeep(UpkeepError),
    /// Others changed the same files. Nothing is lost: the next round sees what is left to do.
    Overtaken(String),
}

impl<E: Into<UpkeepError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Upkeep(error.into())
    }
}
