//! Everything that counts in a table at one version.

use std::collections::{BTreeMap, HashMap};

use super::file::DataFile;
use super::freshness::{DAY_MS, is_old, now_ms};
use super::handle::Table;
use super::spec::{DATE, SORT, TableSpec};
use super::stamp::CommitStamp;
use super::summary::{DOMAIN, Summary};
use super::writer::{Head, TableWriter};
use crate::error::LakeError;
use crate::log::protocol;
use crate::log::state::State;

/// What a table holds at one version. Later entries change nothing in it until [`Snapshot::refresh`].
#[derive(Debug, Clone)]
pub struct Snapshot {
    table: Table,
    state: State,
    spec: TableSpec,
    files: Vec<DataFile>,
    stamps: Vec<CommitStamp>,
    read_ms: i64,
}

impl Snapshot {
    pub(crate) fn new(table: Table, state: State) -> Result<Self, LakeError> {
        let mut snapshot = Self {
            table,
            state,
            spec: TableSpec::default(),
            files: Vec::new(),
            stamps: Vec::new(),
            read_ms: now_ms(),
        };
        snapshot.derive()?;
        Ok(snapshot)
    }

    /// What follows from the state.
    fn derive(&mut self) -> Result<(), LakeError> {
        let broken = |reason: String| self.table.lake().broken(self.table.name(), reason);
        let spec = TableSpec::of_metadata(&self.state.metadata).map_err(broken)?;
        let stamps = stamps(&self.state).map_err(broken)?;
        (self.spec, self.stamps) = (spec, stamps);
        let mut known: HashMap<String, DataFile> = std::mem::take(&mut self.files)
            .into_iter()
            .map(|file| (file.add.path.clone(), file))
            .collect();
        let files = self.state.files.values();
        let name = self.table.name();
        let files = files.map(|add| {
            known
                .remove(&add.path)
                .unwrap_or_else(|| DataFile::new(name, add))
        });
        self.files = files.collect();
        self.files
            .sort_by(|a, b| (&a.date, &a.path).cmp(&(&b.date, &b.path)));
        Ok(())
    }

    /// The number of the newest entry in it.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What the table looks like.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// The files that count, ascending by date and path.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Rows in all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Where each stage stands in each input partition.
    pub fn stamps(&self) -> &[CommitStamp] {
        &self.stamps
    }

    /// The newest stamp of an input partition, should several stages have written.
    pub fn stamp(&self, topic: &str, partition: u32) -> Option<&CommitStamp> {
        let of_partition =
            |stamp: &&CommitStamp| stamp.app.topic == topic && stamp.app.partition == partition;
        let stamps = self.stamps.iter().filter(of_partition);
        stamps.max_by_key(|stamp| stamp.committed_at_ms)
    }

    /// The totals.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            table: self.table.name().to_owned(),
            version: self.version(),
            rows: self.rows(),
            files: self.files.len() as u64,
            bytes: self.bytes(),
            places: Vec::new(),
        };
        for stamp in &self.stamps {
            summary.put(stamp);
        }
        summary
    }

    /// Goes on to the newest entry; whether there was one. Costs one request when there is none.
    ///
    /// # Errors
    /// When the log cannot be read. The snapshot is as it was then.
    pub async fn refresh(&mut self) -> Result<bool, LakeError> {
        let log = self.table.log();
        let mut next = None;
        if is_old(self.read_ms) {
            next = log.load().await?;
        } else {
            let mut version = self.version() + 1;
            while let Some(actions) = log.read(version).await? {
                // Whoever stops waiting here keeps the snapshot whole.
                let state = next.get_or_insert_with(|| self.state.clone());
                state.apply(version, actions);
                version += 1;
            }
        }
        if let Some(next) = &mut next {
            next.forget_removed(now_ms(), DAY_MS);
        }
        if let Some(next) = next.filter(|next| next.version != self.version()) {
            log.check(&next)?;
            let before = std::mem::replace(&mut self.state, next);
            if let Err(error) = self.derive() {
                self.state = before;
                return Err(error);
            }
            self.read_ms = now_ms();
            return Ok(true);
        }
        self.read_ms = now_ms();
        Ok(false)
    }

    /// Makes entries that go on from here.
    ///
    /// # Errors
    /// When this release cannot write such a table.
    pub(crate) fn writer(&self) -> Result<TableWriter, LakeError> {
        protocol::check_writable(&self.state.protocol).map_err(|reason| LakeError::Unusable {
            lake: format!("{}/{}", self.table.lake(), self.table.name()),
            reason: format!("{reason}, which this release does not write"),
        })?;
        Ok(TableWriter::new(self.table.clone(), self.head()))
    }

    /// As if the log had been read a day ago.
    #[cfg(test)]
    pub(crate) fn forget_reading(&mut self) {
        self.read_ms -= DAY_MS;
    }

    /// What a writer knows of it.
    pub(super) fn head(&self) -> Head {
        Head::new(&self.state, self.summary(), &self.stamps, self.read_ms)
    }

    /// Properties of the table, ours and others'.
    pub fn properties(&self) -> &BTreeMap<String, String> {
        &self.state.metadata.configuration
    }

    /// Whether Coinlake made the table and can write it.
    pub(crate) fn is_ours(&self) -> bool {
        self.state.metadata.partition_columns == [DATE]
            && self.properties().contains_key(SORT)
            && protocol::check_writable(&self.state.protocol).is_ok()
    }

    /// How many entries came after the checkpoint that it was read from: whoever reads the table opens each of them.
    pub(crate) fn entries_since_checkpoint(&self) -> u64 {
        self.state.version - self.state.checkpoint
    }

    /// Writes this snapshot as a checkpoint, with the files that were removed after `removed_since_ms`.
    pub(crate) async fn write_checkpoint(&self, removed_since_ms: i64) -> Result<(), LakeError> {
        let log = self.table.log();
        log.write_checkpoint(&self.state, removed_since_ms).await
    }

    /// The paths, relative to the table, of removed files that readers of older snapshots may still read.
    pub(crate) fn tombstones(&self) -> impl Iterator<Item = (&str, i64)> {
        let tombstones = self.state.tombstones.values();
        tombstones.map(|remove| {
            (
                remove.path.as_str(),
                remove.deletion_timestamp.unwrap_or_default(),
            )
        })
    }
}

/// The stamps in a table's domains. Other applications' domains are not ours.
fn stamps(state: &State) -> Result<Vec<CommitStamp>, String> {
    let ours = state
        .domains
        .values()
        .filter(|domain| domain.domain != DOMAIN && state.txns.contains_key(&domain.domain));
    ours.map(|domain| CommitStamp::parse(&domain.configuration))
        .collect()
}
