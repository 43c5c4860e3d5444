//! The steps of a commit, for a cut at input offset Q.
//!
//! Always true, after each step:
//! 1. every output up to Q is acknowledged by its topic: those topics are ahead of the lake;
//! 2. the data files are written and durable, seen by nobody;
//! 3. the log of each side table names its files: those tables are ahead of the main table;
//! 4. the log of the main table names its files, if it has any: the position is Q.
//!
//! After a crash between any two steps, `recovery::resume` knows where to resume. Nothing else moves the position, but for a
//! change of the input that the operator accepts (`recovery::accept`).

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::Client;
use connector_runtime::record::Record;
use lake::{AppId, CommitStamp, NewFile, Transaction};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::tables::{Cut, StageTable};
use crate::context::StageContext;
use crate::encode::SealedFile;
use crate::error::StageError;
use crate::failpoints::Failpoint;
use crate::input::{hash, record_at};
use crate::output::Acknowledged;
use crate::status::TroubleSpot;

/// How long a stopping stage waits for acknowledgements.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A commit to be made.
pub(crate) struct Commit {
    /// What all partitions share.
    pub stage: Arc<StageContext>,
    /// Reads the record at Q.
    pub client: Arc<Client>,
    /// Where a failed write is reported.
    pub trouble: TroubleSpot,
    /// The tables, the main table first.
    pub tables: Arc<[StageTable]>,
    /// The stamp of the entries, but for what only the commit knows: the hash of the record at Q, and the time.
    pub stamp: CommitStamp,
    /// The record at Q, if it is known.
    pub last_record: Option<Record>,
    /// The output topics at the cut.
    pub outputs: Vec<OutputAtCut>,
    /// What to add to the tables.
    pub cut: Cut,
    /// Cancelled when retries must stop.
    pub give_up: CancellationToken,
}

/// An output topic at the cut.
pub(crate) struct OutputAtCut {
    /// Its name.
    pub name: String,
    /// What it acknowledged.
    pub progress: watch::Receiver<Acknowledged>,
    /// The last input up to Q whose output goes there.
    pub last_output: i64,
}

impl OutputAtCut {
    /// Waits until the topic has acknowledged all outputs up to Q.
    ///
    /// # Errors
    /// When it has not, [`STOP_TIMEOUT`] after `give_up` was cancelled, or will not.
    async fn acknowledged(mut self, give_up: &CancellationToken) -> Result<(), StageError> {
        let wanted = self.last_output;
        let timeout = async {
            give_up.cancelled().await;
            tokio::time::sleep(STOP_TIMEOUT).await;
        };
        let acknowledged = async {
            let waited = self.progress.wait_for(|at| at.source_offset >= wanted);
            let acknowledged = waited.await.is_ok();
            if !acknowledged {
                // The topic cannot be written. The pipeline hears why, and then gives this commit up.
                give_up.cancelled().await;
            }
            acknowledged
        };
        let acknowledged = tokio::select! {
            acknowledged = acknowledged => acknowledged,
            () = timeout => false,
        };
        match acknowledged {
            true => Ok(()),
            false => Err(StageError::not_acknowledged(&self.name)),
        }
    }
}

/// Proof that everything up to `last_offset` is in the lake.
#[derive(Debug)]
#[must_use = "the position moves only in exchange for this"]
pub(crate) struct Committed {
    /// Last input offset of the cut (Q).
    pub last_offset: i64,
    /// Rows in all tables.
    pub rows: u64,
    /// The number of the main table's entry.
    pub version: u64,
}

impl Commit {
    /// Makes the commit, and retries what may succeed later.
    ///
    /// # Errors
    /// When a step cannot succeed, or has not before `give_up` was cancelled.
    pub(crate) async fn run(mut self) -> Result<Committed, StageError> {
        let stage = self.stage.clone();
        let failpoints = &stage.failpoints;
        failpoints.reach(Failpoint::CutStarted)?;
        for output in std::mem::take(&mut self.outputs) {
            output.acknowledged(&self.give_up).await?;
        }
        failpoints.reach(Failpoint::TopicsAcknowledged)?;
        self.stamp.record_hash = self.record_hash().await?;
        let files = self.put_files().await?;
        self.stamp.committed_at_ms = jiff::Timestamp::now().as_millisecond();
        let rows = self.cut.rows;
        let mut tables = self.tables.iter().zip(files);
        let main = tables.next().expect("a stage has a main table");
        let sides = tables.filter(|(_, files)| !files.is_empty());
        for (i, (table, files)) in sides.enumerate() {
            self.enter(table, files).await?;
            failpoints.reach(Failpoint::SideEntry(i))?;
        }
        let (table, files) = main;
        let version = self.enter(table, files).await?;
        failpoints.reach(Failpoint::MainEntry)?;
        Ok(Committed {
            last_offset: self.stamp.last_offset,
            rows,
            version,
        })
    }

    /// Writes the data files of each table.
    async fn put_files(&mut self) -> Result<Vec<Vec<NewFile>>, StageError> {
        let tables = self.tables.clone();
        let mut count = 0;
        let mut all = Vec::with_capacity(tables.len());
        for (table, files) in tables.iter().zip(std::mem::take(&mut self.cut.tables)) {
            let mut put = Vec::with_capacity(files.len());
            for file in files {
                put.push(self.put(table, file.seal().await?).await?);
                self.stage.failpoints.reach(Failpoint::FilePut(count))?;
                count += 1;
            }
            all.push(put);
        }
        Ok(all)
    }

    async fn put(&self, table: &StageTable, file: SealedFile) -> Result<NewFile, StageError> {
        let mut retry = Retry::new(self, table);
        loop {
            match table.put(&file).await {
                Ok(mut file) => {
                    self.trouble.clear();
                    self.stage.failpoints.age(&mut file);
                    return Ok(file);
                }
                Err(error) => retry.after(error.into()).await?,
            }
        }
    }

    /// Makes an entry in the log of a table; returns its number.
    async fn enter(&self, table: &StageTable, files: Vec<NewFile>) -> Result<u64, StageError> {
        let sizes = files.iter().map(|file| (file.rows, file.bytes));
        let sizes: Vec<(u64, u64)> = sizes.collect();
        let mut transaction = Transaction::append(self.stamp.clone(), files);
        let mut retry = Retry::new(self, table);
        loop {
            match table.writer.commit(&mut transaction).await {
                Ok(version) => {
                    self.trouble.clear();
                    for (rows, bytes) in sizes {
                        let meters = &self.stage.meters;
                        meters.count_file(table.schema.name(), rows, bytes);
                    }
                    return Ok(version);
                }
                Err(error) => retry.after(error.into()).await?,
            }
        }
    }

    async fn record_hash(&self) -> Result<String, StageError> {
        let CommitStamp {
            app: AppId {
                topic, partition, ..
            },
            last_offset,
            ..
        } = &self.stamp;
        let record = match &self.last_record {
            Some(record) if record.offset == *last_offset => Some(record.clone()),
            _ => record_at(&self.client, topic, *partition, *last_offset).await?,
        };
        // Retention may remove the record before this commit. A restart then has nothing to compare with.
        Ok(record.map_or_else(String::new, |record| hash(&record)))
    }
}

/// Attempts to write to a table, until one succeeds, cannot succeed, or the time is over.
struct Retry<'a> {
    commit: &'a Commit,
    table: &'a StageTable,
    backoff: Backoff,
}

impl<'a> Retry<'a> {
    fn new(commit: &'a Commit, table: &'a StageTable) -> Self {
        Self {
            commit,
            table,
            backoff: Backoff::new(),
        }
    }

    /// Waits for the time of the next attempt.
    ///
    /// # Errors
    /// When there is none.
    async fn after(&mut self, error: StageError) -> Result<(), StageError> {
        if !error.may_be_tried_again() {
            return Err(error);
        }
        let delay = self.backoff.next_delay();
        let Commit {
            trouble,
            stage,
            give_up,
            ..
        } = self.commit;
        let table = self.table.schema.name();
        tracing::warn!(table, "{error}; retrying in {delay:?}");
        trouble.set(&error);
        stage.meters.commit_retries.increment(1);
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            () = give_up.cancelled() => {
                Err(StageError::StoppedUncommitted { reason: error.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Otherwise a stage would start over with the same record that its topic cannot hold, again and again.
    #[tokio::test]
    async fn a_commit_leaves_it_to_the_pipeline_why_a_topic_cannot_be_written() {
        let (topic, progress) = watch::channel(Acknowledged {
            source_offset: 4,
            end: 2,
        });
        let output = OutputAtCut {
            name: "out".to_owned(),
            progress,
            last_output: 7,
        };
        let give_up = CancellationToken::new();
        let mut waiting = Box::pin(output.acknowledged(&give_up));
        drop(topic);
        assert!((&mut waiting).now_or_never().is_none());
        give_up.cancel();
        // At once, without the time that a topic has to acknowledge the last outputs.
        let ended = waiting.now_or_never().unwrap();
        assert!(matches!(ended, Err(StageError::StoppedUncommitted { .. })));
    }
}
