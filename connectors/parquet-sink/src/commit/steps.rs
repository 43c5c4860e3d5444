//! The steps of a commit, for a cut at input offset Q.
//!
//! Always true, after each step:
//! 1. every output up to Q is acknowledged by its topic: those topics are ahead of the lake;
//! 2. the files of the side layers exist: those layers are ahead of the main layer;
//! 3. the file of the main layer exists: the position is Q.
//!
//! After a crash between any two steps, `recovery::resume` knows where to resume. Nothing else moves the position.

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::Client;
use connector_runtime::record::Record;
use lake::FileStamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::files::{CutFiles, EmptyMain, MainFile};
use super::place::{CommitError, CommittedFile, place};
use crate::context::StageContext;
use crate::encode::{OpenFile, SealedFile, day_of_ms};
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
    /// The stamp of the files, but for what only the commit knows: the hash of the record at Q, the time, the schema.
    pub stamp: FileStamp,
    /// The record at Q, if it is known.
    pub last_record: Option<Record>,
    /// The output topics at the cut.
    pub outputs: Vec<OutputAtCut>,
    /// The files of the cut.
    pub files: CutFiles,
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

/// Proof that everything up to `last_offset` is in the lake.
#[derive(Debug)]
#[must_use = "the position moves only in exchange for this"]
pub(crate) struct Committed {
    /// Last input offset of the cut (Q).
    pub last_offset: i64,
    /// Rows in all files.
    pub rows: u64,
    /// The day of the main layer's file.
    pub main_day: i32,
    /// The path of the main layer's file, relative to the lake.
    pub main_path: String,
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
            self.acknowledged(output).await?;
        }
        failpoints.reach(Failpoint::TopicsAcknowledged)?;
        self.stamp.record_hash = self.record_hash().await?;
        self.stamp.committed_at_ms = jiff::Timestamp::now().as_millisecond();
        let CutFiles { main, side, rows } = self.files;
        let placing = Placing {
            stage: &stage,
            trouble: &self.trouble,
            give_up: &self.give_up,
        };
        for (i, file) in side.into_iter().enumerate() {
            let (file, stamp) = file.seal(&self.stamp).await?;
            let _side = placing.place(&file, &stamp).await?;
            failpoints.reach(Failpoint::SideFile(i))?;
        }
        let main = match main {
            MainFile::Rows(file) => file,
            MainFile::Empty(empty) => open_empty(&self.client, &self.stamp, empty).await?,
        };
        let main_day = main.day();
        let (file, stamp) = main.seal(&self.stamp).await?;
        failpoints.reach(Failpoint::MainSealed)?;
        let main = placing.place(&file, &stamp).await?;
        failpoints.reach(Failpoint::MainFile)?;
        Ok(Committed {
            last_offset: self.stamp.last_offset,
            rows,
            main_day,
            main_path: main.path,
        })
    }

    async fn acknowledged(&self, mut output: OutputAtCut) -> Result<(), StageError> {
        let wanted = output.last_output;
        let timeout = async {
            self.give_up.cancelled().await;
            tokio::time::sleep(STOP_TIMEOUT).await;
        };
        tokio::select! {
            acknowledged = output.progress.wait_for(|at| at.source_offset >= wanted) => match acknowledged {
                Ok(_) => Ok(()),
                Err(_) => Err(StageError::StoppedUncommitted {
                    reason: format!("writing topic {} ended", output.name),
                }),
            },
            () = timeout => Err(StageError::not_acknowledged(&output.name)),
        }
    }

    async fn record_hash(&self) -> Result<String, StageError> {
        let FileStamp {
            topic,
            partition,
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

async fn open_empty(
    client: &Client,
    stamp: &FileStamp,
    empty: EmptyMain,
) -> Result<OpenFile, StageError> {
    let day = match empty.day {
        Some(day) => day,
        None => {
            let first =
                record_at(client, &stamp.topic, stamp.partition, stamp.first_offset).await?;
            day_of_ms(first.map_or(0, |record| record.timestamp_ms.max(0)))
        }
    };
    Ok(OpenFile::new(empty.schema, empty.name, day))
}

/// What placing a file needs.
struct Placing<'a> {
    stage: &'a StageContext,
    trouble: &'a TroubleSpot,
    give_up: &'a CancellationToken,
}

impl Placing<'_> {
    /// Retries until it succeeds, cannot succeed, or the time is over.
    async fn place(
        &self,
        file: &SealedFile,
        stamp: &FileStamp,
    ) -> Result<CommittedFile, StageError> {
        let meters = &self.stage.meters;
        let mut backoff = Backoff::new();
        loop {
            let error = match place(file, stamp, &self.stage.lake).await {
                Ok(committed) => {
                    self.trouble.clear();
                    meters.count_file(&file.layer, file.rows, committed.bytes);
                    return Ok(committed);
                }
                Err(CommitError::Lake(error)) if error.is_transient() => error,
                Err(CommitError::Overtaken { path }) => return Err(StageError::Overtaken { path }),
                Err(error) => return Err(error.into()),
            };
            let delay = backoff.next_delay();
            tracing::warn!(file = file.path, "{error}; retrying in {delay:?}");
            self.trouble.set(&error);
            meters.commit_retries.increment(1);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.give_up.cancelled() => {
                    return Err(StageError::StoppedUncommitted { reason: error.to_string() });
                }
            }
        }
    }
}
