//! Commits transactions: each once, as the entry with the next free number.
//!
//! Always true: when the store says that a number is taken, the writer reads that entry. Our own id: an earlier attempt
//! succeeded and its answer was lost. Nothing there: the store contradicts itself, so the same number is tried again. Someone
//! else's: the transaction is checked against it and goes on to the next number.
//!
//! A writer trusts a free number only if it has read the log in the last hours: upkeep removes old entries, and their numbers
//! look free.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::freshness::{DAY_MS, is_old, now_ms};
use super::handle::Table;
use super::spec::TableSpec;
use super::stamp::{AppId, CommitStamp};
use super::summary::{DOMAIN, Summary};
use super::transaction::Transaction;
use crate::durable::Created;
use crate::error::LakeError;
use crate::log::action::{self, Action, MetaData};
use crate::log::protocol;
use crate::log::state::State;

/// A checkpoint is written at every entry of this many.
const CHECKPOINT_EVERY: u64 = 100;
/// Files written longer ago are not committed: vacuum takes what no entry names after a day.
const STALE_MS: u64 = DAY_MS as u64 / 2;
/// How often a number is tried again that the store says is taken although nothing is there.
const PHANTOMS_MAX: u32 = 5;
const PHANTOM_PAUSE: Duration = Duration::from_millis(100);

/// Why an entry was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The lake failed. The entry may have been made all the same: commit the same transaction again.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Another process writes for the same stage and partition.
    #[error(
        "another copy of this stage is running: entry {version} of table {table} was made by run {other}, not by this one \
         ({this}), for {app}; stop one of them"
    )]
    AnotherCopy {
        /// The table.
        table: String,
        /// The entry.
        version: u64,
        /// Whose position both want to move.
        app: String,
        /// The writer of the entry.
        other: String,
        /// This writer.
        this: String,
    },
    /// An earlier attempt of this run, which looked failed, took effect.
    #[error("entry {version} of table {table} was made by an earlier attempt of this run")]
    Overtaken {
        /// The table.
        table: String,
        /// The entry.
        version: u64,
    },
    /// Its files are so old that vacuum may take them before an entry names them.
    #[error(
        "the files of this commit to table {table} were written more than {} hours ago, and vacuum takes what no entry \
         names; write them again",
        STALE_MS / 3_600_000
    )]
    Stale {
        /// The table.
        table: String,
    },
    /// Others changed the table in a way that this transaction did not know of.
    #[error(
        "entry {version} of table {table} changed what this one builds on: {reason}; read the table and try again"
    )]
    Conflict {
        /// The table.
        table: String,
        /// The entry.
        version: u64,
        /// How.
        reason: String,
    },
}

/// Makes a table's entries. Shared by everything in a process that writes to it.
#[derive(Debug)]
pub struct TableWriter {
    table: Table,
    /// What the rows that it is given are made for.
    opened: MetaData,
    head: Mutex<Head>,
}

/// The table after the newest entry known, without its files.
#[derive(Debug)]
pub(super) struct Head {
    /// When this was the newest entry, in milliseconds since the epoch.
    read_ms: i64,
    version: u64,
    metadata: MetaData,
    summary: Summary,
    /// By app id.
    stamps: BTreeMap<String, CommitStamp>,
    /// For each app whose position another copy of it moved: the newest entry that did, until the app asks where it stands.
    moved_by_others: BTreeMap<String, u64>,
}

impl TableWriter {
    pub(super) fn new(table: Table, head: Head) -> Self {
        Self {
            table,
            opened: head.metadata.clone(),
            head: Mutex::new(head),
        }
    }

    /// The writer of rows that have the columns of the newest entry it knows.
    pub(super) fn reopened(self) -> Self {
        Self::new(self.table, self.head.into_inner())
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Where a stage stands now in one input partition; `None` when it never committed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn stamp(&self, app: &AppId) -> Result<Option<CommitStamp>, LakeError> {
        let mut head = self.head.lock().await;
        self.catch_up(&mut head).await?;
        let app = app.to_string();
        head.moved_by_others.remove(&app);
        Ok(head.stamps.get(&app).cloned())
    }

    /// Where other stages stand in the same input partition.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn rivals(&self, app: &AppId) -> Result<Vec<CommitStamp>, LakeError> {
        let mut head = self.head.lock().await;
        self.catch_up(&mut head).await?;
        let stamps = head.stamps.values().filter(|stamp| {
            let other = &stamp.app;
            other.topic == app.topic && other.partition == app.partition && other.stage != app.stage
        });
        Ok(stamps.cloned().collect())
    }

    /// Commits a transaction, and returns the number of its entry. After an error that may pass, call it again with the same
    /// transaction: it is committed once.
    ///
    /// # Errors
    /// [`CommitError::Lake`] leaves open whether it was committed; the others say that it was not.
    pub async fn commit(&self, transaction: &mut Transaction) -> Result<u64, CommitError> {
        let log = self.table.log();
        let mut head = self.head.lock().await;
        if is_old(head.read_ms) {
            self.reload(&mut head, transaction).await?;
        }
        let mut version = transaction.first_tried.unwrap_or(head.version + 1);
        let mut phantoms = 0;
        loop {
            let is_stale = is_stale(transaction.written_ms);
            if version > head.version && !is_stale {
                // Another app may have read the entry of another copy.
                self.check_position(&head, transaction)?;
                self.check_opened(&head)?;
                let actions = head.entry(transaction);
                let lines = Bytes::from(action::to_lines(&actions));
                transaction.first_tried.get_or_insert(version);
                if log.create(version, lines, transaction.id()).await? == Created::New {
                    self.check_follows(&head, version).await?;
                    head.apply(version, actions)
                        .map_err(|reason| self.broken(version, reason))?;
                    break;
                }
            }
            let Some(actions) = log.read(version).await? else {
                if is_stale {
                    let table = self.table.name().to_owned();
                    return Err(CommitError::Stale { table });
                }
                phantoms += 1;
                if phantoms > PHANTOMS_MAX {
                    let reason = format!(
                        "entry {version} of table {} is taken, and not there",
                        self.table.name()
                    );
                    let lake = self.table.lake().to_string();
                    return Err(LakeError::Unavailable { lake, reason }.into());
                }
                tokio::time::sleep(PHANTOM_PAUSE).await;
                continue;
            };
            let is_ours = action::id(&actions) == Some(transaction.id());
            if !is_ours {
                self.check_conflict(version, transaction, &actions)?;
            }
            if version > head.version {
                self.follow(&mut head, version, actions).await?;
            }
            if is_ours {
                break;
            }
            version += 1;
        }
        if let Some(stamp) = &transaction.stamp {
            head.moved_by_others.remove(&stamp.app.to_string());
        }
        // The other partitions need not wait for the checkpoint.
        drop(head);
        if version.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoint(transaction.at_ms()).await;
        }
        Ok(version)
    }

    /// As if the log had been read a day ago.
    #[cfg(test)]
    pub(crate) async fn forget_reading(&self) {
        self.head.lock().await.read_ms -= DAY_MS;
    }

    /// The table's description.
    pub(crate) async fn metadata(&self) -> MetaData {
        self.head.lock().await.metadata.clone()
    }

    /// Reads the log anew, and checks what others have done since this process last looked.
    async fn reload(&self, head: &mut Head, transaction: &Transaction) -> Result<(), CommitError> {
        let Some(snapshot) = self.table.snapshot().await? else {
            return Ok(());
        };
        let newer = snapshot.head();
        if newer.version > head.version {
            let conflict = |reason: String| CommitError::Conflict {
                table: self.table.name().to_owned(),
                version: newer.version,
                reason,
            };
            check_columns(&self.opened, &newer.metadata).map_err(conflict)?;
            let builds_on_files = !transaction.removes.is_empty() || transaction.metadata.is_some();
            if builds_on_files && !self.has_made(transaction).await? {
                return Err(conflict(
                    "this process has not read the table for hours".to_owned(),
                ));
            }
        }
        head.go_on(newer);
        Ok(())
    }

    /// Whether the first attempt to commit a transaction succeeded, though its answer was lost.
    async fn has_made(&self, transaction: &Transaction) -> Result<bool, LakeError> {
        let Some(version) = transaction.first_tried else {
            return Ok(false);
        };
        let actions = self.table.log().read(version).await?;
        Ok(actions.is_some_and(|actions| action::id(&actions) == Some(transaction.id())))
    }

    /// Checks that an entry that was made just now follows the newest. If this process stood still since it last looked, the
    /// number may have been free because upkeep removed what was there.
    async fn check_follows(&self, head: &Head, version: u64) -> Result<(), CommitError> {
        if !is_old(head.read_ms) {
            return Ok(());
        }
        let listing = self.table.log().list(0).await?;
        match listing.newest_checkpoint() {
            Some((checkpoint, _)) if checkpoint >= version => Err(CommitError::Stale {
                table: self.table.name().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Reads the entries made since.
    async fn catch_up(&self, head: &mut Head) -> Result<(), LakeError> {
        if is_old(head.read_ms)
            && let Some(snapshot) = self.table.snapshot().await?
        {
            head.go_on(snapshot.head());
        }
        while let Some(actions) = self.table.log().read(head.version + 1).await? {
            self.follow(head, head.version + 1, actions).await?;
        }
        head.read_ms = now_ms();
        Ok(())
    }

    /// Goes on to another's entry.
    async fn follow(
        &self,
        head: &mut Head,
        version: u64,
        actions: Vec<Action>,
    ) -> Result<(), LakeError> {
        let has_totals = actions.iter().any(
            |action| matches!(action, Action::DomainMetadata(domain) if domain.domain == DOMAIN),
        );
        // Read before the head moves, which a failure must leave as it was.
        let summary = match has_totals {
            true => None,
            // Another program's entry: only the whole log tells what the table holds now.
            false => (self.table.snapshot().await?).map(|snapshot| snapshot.summary()),
        };
        head.apply(version, actions)
            .map_err(|reason| self.broken(version, reason))?;
        if let Some(summary) = summary {
            head.summary = summary;
        }
        Ok(())
    }

    /// Whether the position that this transaction moves is where its app left it.
    fn check_position(&self, head: &Head, transaction: &Transaction) -> Result<(), CommitError> {
        let Some(ours) = &transaction.stamp else {
            return Ok(());
        };
        let app = ours.app.to_string();
        match head.moved_by_others.get(&app) {
            Some(version) => Err(self.moved(*version, ours, head.stamps.get(&app))),
            None => Ok(()),
        }
    }

    /// An entry moved the position that a transaction moves.
    fn moved(&self, version: u64, ours: &CommitStamp, theirs: Option<&CommitStamp>) -> CommitError {
        let table = self.table.name().to_owned();
        let other = theirs.map_or_else(|| "unknown".to_owned(), |stamp| stamp.writer.clone());
        match other == ours.writer {
            true => CommitError::Overtaken { table, version },
            false => CommitError::AnotherCopy {
                table,
                version,
                app: ours.app.to_string(),
                other,
                this: ours.writer.clone(),
            },
        }
    }

    /// Checks that the table still has the columns that the rows were made for: another program may have changed them at any time
    /// since it was opened.
    fn check_opened(&self, head: &Head) -> Result<(), CommitError> {
        if head.metadata.schema_string == self.opened.schema_string {
            return Ok(());
        }
        check_columns(&self.opened, &head.metadata).map_err(|reason| CommitError::Conflict {
            table: self.table.name().to_owned(),
            version: head.version,
            reason,
        })
    }

    fn check_conflict(
        &self,
        version: u64,
        transaction: &Transaction,
        actions: &[Action],
    ) -> Result<(), CommitError> {
        let conflict = |reason: &str| CommitError::Conflict {
            table: self.table.name().to_owned(),
            version,
            reason: reason.to_owned(),
        };
        for action in actions {
            match action {
                Action::DomainMetadata(domain) => {
                    let Some(ours) = &transaction.stamp else {
                        continue;
                    };
                    if domain.domain == ours.app.to_string() {
                        let other = CommitStamp::parse(&domain.configuration);
                        return Err(self.moved(version, ours, other.ok().as_ref()));
                    }
                }
                Action::Protocol(protocol) => {
                    if let Err(reason) = protocol::check_writable(protocol) {
                        return Err(conflict(&reason));
                    }
                }
                Action::MetaData(_) if transaction.metadata.is_some() => {
                    return Err(conflict("it describes the table anew, too"));
                }
                // A column that came is null in the rows of this one, and none may go.
                Action::MetaData(metadata) => {
                    check_columns(&self.opened, metadata).map_err(|r| conflict(&r))?
                }
                Action::Remove(theirs)
                    if (transaction.removes.iter()).any(|ours| ours.path == theirs.path) =>
                {
                    return Err(conflict("it removed a file that this one removes"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files removed more than a day ago are not in it: vacuum has taken them.
    async fn checkpoint(&self, now_ms: i64) {
        let written = async {
            match self.table.log().load().await? {
                Some(state) => {
                    self.table
                        .log()
                        .write_checkpoint(&state, now_ms - DAY_MS)
                        .await
                }
                None => Ok(()),
            }
        };
        if let Err(error) = written.await {
            tracing::warn!(
                table = self.table.name(),
                "no checkpoint was written, the next is due in {CHECKPOINT_EVERY} entries: {error}"
            );
        }
    }

    fn broken(&self, version: u64, reason: String) -> LakeError {
        self.table
            .lake()
            .broken(&self.table.log().path(version), reason)
    }
}

impl Head {
    pub(super) fn new(
        state: &State,
        summary: Summary,
        stamps: &[CommitStamp],
        read_ms: i64,
    ) -> Self {
        let stamps = stamps.iter().cloned();
        Self {
            read_ms,
            version: state.version,
            metadata: state.metadata.clone(),
            summary,
            stamps: stamps.map(|stamp| (stamp.app.to_string(), stamp)).collect(),
            moved_by_others: BTreeMap::new(),
        }
    }

    /// Replaces the head by a newer one.
    fn go_on(&mut self, newer: Self) {
        let before = std::mem::replace(self, newer);
        self.moved_by_others = before.moved_by_others;
        for (app, stamp) in &self.stamps {
            if before.stamps.get(app) != Some(stamp) {
                self.moved_by_others.insert(app.clone(), self.version);
            }
        }
    }

    /// The transaction as an entry behind this one.
    fn entry(&self, transaction: &Transaction) -> Vec<Action> {
        let mut actions = transaction.actions();
        let mut summary = self.summary.clone();
        summary.rows += transaction.added_rows;
        for add in &transaction.adds {
            summary.files += 1;
            summary.bytes += u64::try_from(add.size).unwrap_or(0);
        }
        summary.rows = summary.rows.saturating_sub(transaction.removed_rows);
        for remove in &transaction.removes {
            summary.files = summary.files.saturating_sub(1);
            let bytes = u64::try_from(remove.size.unwrap_or(0)).unwrap_or(0);
            summary.bytes = summary.bytes.saturating_sub(bytes);
        }
        if let Some(stamp) = &transaction.stamp {
            summary.put(stamp);
        }
        actions.push(summary.to_action());
        actions
    }

    /// Goes on to an entry.
    fn apply(&mut self, version: u64, actions: Vec<Action>) -> Result<(), String> {
        for action in actions {
            match action {
                Action::Protocol(protocol) => protocol::check_writable(&protocol)?,
                Action::MetaData(metadata) => self.metadata = metadata,
                Action::DomainMetadata(domain) if domain.domain == DOMAIN => {
                    let totals = serde_json::from_str(&domain.configuration);
                    self.summary = totals.map_err(|error| format!("its totals: {error}"))?;
                }
                Action::DomainMetadata(domain) if domain.removed => {
                    self.stamps.remove(&domain.domain);
                }
                Action::DomainMetadata(domain) => {
                    if let Ok(stamp) = CommitStamp::parse(&domain.configuration) {
                        self.moved_by_others.insert(domain.domain.clone(), version);
                        self.stamps.insert(domain.domain, stamp);
                    }
                }
                _ => {}
            }
        }
        self.version = version;
        self.read_ms = now_ms();
        Ok(())
    }
}

/// Checks that rows formed under `before` still fit the table after `after`.
fn check_columns(before: &MetaData, after: &MetaData) -> Result<(), String> {
    let (before, after) = (
        TableSpec::of_metadata(before)?,
        TableSpec::of_metadata(after)?,
    );
    after.evolved(&before).map(drop)
}

/// Whether a file written then is too old to be named by an entry. A clock may jump either way.
fn is_stale(written_ms: i64) -> bool {
    now_ms().abs_diff(written_ms) > STALE_MS
}
