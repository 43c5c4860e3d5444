//! Tables opened: to be read at one version, to be written, for the first time.

use jiff::Timestamp;

use super::handle::Table;
use super::snapshot::Snapshot;
use super::spec::{IMPORTED, TableSpec};
use super::stamp::CommitStamp;
use super::summary::{DOMAIN, Summary};
use super::transaction::{NewFile, Transaction, position};
use super::writer::{CommitError, TableWriter};
use crate::durable::Created;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::log::action::{self, Action, CommitInfo, MetaData};
use crate::log::protocol;

impl Lake {
    /// A table by its name, whether it exists or not.
    pub fn table(&self, name: &str) -> Table {
        Table::new(self, name)
    }

    /// The names of all tables, ascending.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn tables(&self) -> Result<Vec<String>, LakeError> {
        let mut tables = Vec::new();
        for name in self.folders("").await? {
            // Of file systems, such as `lost+found`, into which only root may look, and of programs.
            if name == "lost+found" || name.starts_with(['.', '_']) {
                continue;
            }
            let folders = self.folders(&name).await?;
            if folders.iter().any(|folder| folder == "_delta_log") {
                tables.push(name);
            }
        }
        Ok(tables)
    }
}

impl Table {
    /// Everything that counts now; `None` when there is no such table, which may not have been written yet.
    ///
    /// # Errors
    /// When its log cannot be read, or is of a kind that this release does not know.
    pub async fn snapshot(&self) -> Result<Option<Snapshot>, LakeError> {
        let state = self.log().load().await?;
        state
            .map(|state| Snapshot::new(self.clone(), state))
            .transpose()
    }

    /// Rows, size and positions, from the newest entry alone: three requests, however old the table is. `None` when there
    /// is no such table.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn summary(&self) -> Result<Option<Summary>, LakeError> {
        let Some(version) = self.log().newest().await? else {
            return Ok(None);
        };
        let totals = self.log().read(version).await?.into_iter().flatten();
        let totals = totals.into_iter().find_map(|action| match action {
            Action::DomainMetadata(domain) if domain.domain == DOMAIN => {
                serde_json::from_str::<Summary>(&domain.configuration).ok()
            }
            _ => None,
        });
        match totals {
            Some(summary) => Ok(Some(Summary {
                table: self.name().to_owned(),
                version,
                ..summary
            })),
            // Another program made it.
            None => Ok(self.snapshot().await?.map(|snapshot| snapshot.summary())),
        }
    }

    /// Opens the table for writing: creates it, or adds what is new in `spec`.
    ///
    /// # Errors
    /// [`LakeError::Schema`] when rows of this kind do not fit the table, and [`LakeError::Unusable`] when the store cannot
    /// create a file exclusively, or files of a release before tables are in the way.
    pub async fn writer(&self, spec: &TableSpec) -> Result<TableWriter, LakeError> {
        self.lake().check_exclusive_creation().await?;
        loop {
            if let Some(snapshot) = self.snapshot().await? {
                let writer = snapshot.writer()?;
                match self.evolve(&snapshot, spec, &writer).await {
                    Ok(()) => return Ok(writer.reopened()),
                    // Another process described it at the same time: perhaps the same way.
                    Err(CommitError::Conflict { .. }) => continue,
                    Err(CommitError::Lake(error)) => return Err(error),
                    Err(error) => return Err(self.lake().broken(self.name(), error)),
                }
            }
            self.create(spec).await?;
        }
    }

    async fn evolve(
        &self,
        snapshot: &Snapshot,
        spec: &TableSpec,
        writer: &TableWriter,
    ) -> Result<(), CommitError> {
        let evolved = snapshot
            .spec()
            .evolved(spec)
            .map_err(|reason| LakeError::Schema {
                table: format!("{}/{}", self.lake(), self.name()),
                reason,
            })?;
        if evolved != *snapshot.spec() {
            let metadata = evolved.to_metadata(writer.metadata().await);
            let now_ms = Timestamp::now().as_millisecond();
            writer
                .commit(&mut Transaction::describe(metadata, now_ms))
                .await?;
        }
        Ok(())
    }

    async fn create(&self, spec: &TableSpec) -> Result<(), LakeError> {
        let folders = self.lake().folders(self.name()).await?;
        if folders.iter().any(|folder| folder.starts_with("date=")) {
            return Err(LakeError::FormerLayout {
                table: format!("{}/{}", self.lake(), self.name()),
            });
        }
        // Whoever else created it: what is there is read next.
        let now_ms = Timestamp::now().as_millisecond();
        self.create_with(spec, Vec::new(), Vec::new(), now_ms)
            .await
            .map(drop)
    }

    /// Creates the table with files that were imported and where their stages stand, in one entry; whether it was this
    /// entry that created it.
    ///
    /// # Errors
    /// When the entry cannot be made.
    pub(crate) async fn create_with(
        &self,
        spec: &TableSpec,
        stamps: Vec<CommitStamp>,
        files: Vec<NewFile>,
        now_ms: i64,
    ) -> Result<bool, LakeError> {
        let mut metadata = spec.to_metadata(MetaData {
            id: uuid(rand::random()),
            name: Some(self.name().to_owned()),
            created_time: Some(now_ms),
            ..MetaData::default()
        });
        let is_import = !stamps.is_empty();
        if is_import {
            let configuration = &mut metadata.configuration;
            configuration.insert(IMPORTED.to_owned(), now_ms.to_string());
        }
        let operation = if is_import { "CONVERT" } else { "CREATE TABLE" };
        let info = CommitInfo::new(operation, now_ms);
        let id = info.txn_id.clone();
        let mut actions = vec![
            Action::CommitInfo(info),
            Action::Protocol(protocol::of_new_tables()),
            Action::MetaData(metadata),
        ];
        let mut totals = Summary::default();
        for stamp in &stamps {
            totals.put(stamp);
            actions.extend(position(stamp, now_ms));
        }
        for file in files {
            totals.files += 1;
            totals.bytes += file.bytes;
            totals.rows += file.rows;
            actions.push(Action::Add(file.into_add(true)));
        }
        actions.push(totals.to_action());
        let lines = action::to_lines(&actions);
        if self.log().create(0, lines.into(), &id).await? == Created::New {
            return Ok(true);
        }
        let there = self.log().read(0).await?.unwrap_or_default();
        Ok(action::id(&there) == Some(id.as_str()))
    }
}

/// A random UUID.
fn uuid(random: u128) -> String {
    let hex = format!(
        "{:032x}",
        random & !(0xf << 76 | 0xc << 60) | 4 << 76 | 8 << 60
    );
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
