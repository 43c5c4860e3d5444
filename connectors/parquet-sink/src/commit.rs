//! The commit of one cut at input offset Q.
//!
//! Always true, after each step:
//! 1. every output up to Q is acknowledged by its topic: those topics are ahead of the lake;
//! 2. the side layers' files exist: those layers are ahead of the main layer;
//! 3. the main layer's file exists: the position is Q.
//!
//! A crash after any step leaves something [`crate::recover`] knows how to go on from. Nothing else moves the position.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::reader::{self, Record};
use connector_runtime::retry::Reconnect;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::assembly::CutFiles;
use crate::error::StageError;
use crate::file::{CommitError, CommittedFile, OpenFile, SealedFile};
use crate::hooks::{Hooks, Point};
use crate::meters::Meters;
use crate::modules::hex;
use crate::outputs::Acknowledged;
use crate::schema::LayerSchema;
use crate::status::TroubleSpot;
use lake::{FileName, FileStamp, Lake, ModuleStamp, STAMP_VERSION};

/// How long a stopping stage waits for acknowledgements.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything a commit needs.
pub(crate) struct Commit {
    /// Where files go.
    pub lake: Lake,
    /// Where it is said that they cannot.
    pub trouble: TroubleSpot,
    /// Where they are counted.
    pub meters: Arc<Meters>,
    /// Reads the record at Q.
    pub client: Arc<Client>,
    /// The input topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// How many it has.
    pub partitions: u32,
    /// How often it was made anew.
    pub generation: u32,
    /// Which run this is.
    pub writer: String,
    /// The first input of the cut.
    pub first_offset: i64,
    /// Q.
    pub last_offset: i64,
    /// Where a fresh module must begin, to be where this one is at Q.
    pub resume_offset: i64,
    /// Of a derived topic: the greatest input its records up to Q were made from.
    pub greatest_source: Option<i64>,
    /// The modules the outputs came from.
    pub modules: Vec<ModuleStamp>,
    /// The record at Q, if it is known.
    pub last_record: Option<Record>,
    /// For each output topic: its name, its end when Q was cut, its progress, the last input it was given an output of.
    pub outputs: Vec<OutputAtCut>,
    /// The files.
    pub files: CutFiles,
    /// In case the main layer has no row.
    pub empty_main: EmptyMain,
    /// No more waiting and trying again.
    pub give_up: CancellationToken,
    /// Tests end it here.
    pub hooks: Hooks,
}

/// The main layer's file when it has no row.
pub struct EmptyMain {
    /// Its folder's day: that of the main file before. `None`: there is none, the first input's timestamp gives it.
    pub day: Option<i32>,
    /// After the first input it covers.
    pub name: FileName,
    /// Of the main layer.
    pub schema: Arc<LayerSchema>,
}

/// An output topic when Q was cut.
pub struct OutputAtCut {
    /// Its name.
    pub name: String,
    /// Its end, or a little before it.
    pub end: i64,
    /// What it acknowledged.
    pub progress: watch::Receiver<Acknowledged>,
    /// The last input up to Q that it gets an output of.
    pub last_output: i64,
}

/// Proof that everything up to `last_offset` is in the lake.
#[derive(Debug)]
#[must_use = "the position moves only in exchange for this"]
pub struct Committed {
    /// Q.
    pub last_offset: i64,
    /// Rows in all files.
    pub rows: u64,
    /// The day of the main layer's file.
    pub main_day: i32,
    /// The main layer's file.
    pub main: CommittedFile,
}

impl Commit {
    /// Does all steps, trying again what may work later.
    ///
    /// # Errors
    /// When a step cannot be done at all, or `give_up` was cancelled while one did not work.
    pub async fn run(mut self) -> Result<Committed, StageError> {
        self.hooks.at(Point::CutStarted)?;
        let mut topic_ends = BTreeMap::new();
        for output in std::mem::take(&mut self.outputs) {
            topic_ends.insert(output.name.clone(), output.end);
            self.acknowledged(output).await?;
        }
        self.hooks.at(Point::TopicsAcknowledged)?;
        let stamp = FileStamp {
            version: STAMP_VERSION,
            writer: self.writer.clone(),
            topic: self.topic.clone(),
            partition: self.partition,
            partitions: self.partitions,
            generation: self.generation,
            first_offset: self.first_offset,
            last_offset: self.last_offset,
            resume_offset: self.resume_offset,
            greatest_source: self.greatest_source,
            record_hash: self.record_hash().await?,
            modules: self.modules.clone(),
            schema_version: 0,
            committed_at_ms: jiff::Timestamp::now().as_millisecond(),
            topic_ends,
        };
        for (i, file) in std::mem::take(&mut self.files.side).into_iter().enumerate() {
            let (file, stamp) = file.seal(&stamp).await?;
            let _side = self.place(&file, &stamp).await?;
            self.hooks.at(Point::SideFile(i))?;
        }
        let main = match self.files.main.take() {
            Some(main) => main,
            None => self.empty_main().await?,
        };
        let main_day = main.day();
        let (file, stamp) = main.seal(&stamp).await?;
        self.hooks.at(Point::MainSealed)?;
        let main = self.place(&file, &stamp).await?;
        self.hooks.at(Point::MainFile)?;
        Ok(Committed {
            last_offset: self.last_offset,
            rows: self.files.rows,
            main_day,
            main,
        })
    }

    async fn acknowledged(&self, mut output: OutputAtCut) -> Result<(), StageError> {
        let wanted = output.last_output;
        let patience = async {
            self.give_up.cancelled().await;
            tokio::time::sleep(STOP_TIMEOUT).await;
        };
        tokio::select! {
            acknowledged = output.progress.wait_for(|a| a.source_offset >= wanted) => match acknowledged {
                Ok(_) => Ok(()),
                Err(_) => Err(StageError::StoppedUncommitted {
                    reason: format!("writing topic {} ended", output.name),
                }),
            },
            () = patience => Err(StageError::StoppedUncommitted {
                reason: format!("topic {} did not acknowledge everything", output.name),
            }),
        }
    }

    async fn record_hash(&self) -> Result<String, StageError> {
        let record = match &self.last_record {
            Some(record) if record.offset == self.last_offset => Some(record.clone()),
            _ => record_at(&self.client, &self.topic, self.partition, self.last_offset).await?,
        };
        // Retention may have been faster than this commit; then there is nothing to compare with later, either.
        Ok(record.map_or_else(String::new, |record| hash(&record)))
    }

    async fn empty_main(&self) -> Result<OpenFile, StageError> {
        let day = match self.empty_main.day {
            Some(day) => day,
            None => {
                let first =
                    record_at(&self.client, &self.topic, self.partition, self.first_offset).await?;
                let ms = first.map_or(0, |record| record.timestamp_ms.max(0));
                i32::try_from(ms / 86_400_000).unwrap_or(0)
            }
        };
        let EmptyMain { name, schema, .. } = &self.empty_main;
        Ok(OpenFile::new(schema.clone(), name.clone(), day))
    }

    /// Tries until it works, it cannot work, or there is no more time.
    async fn place(
        &self,
        file: &SealedFile,
        stamp: &FileStamp,
    ) -> Result<CommittedFile, StageError> {
        let mut pause = Reconnect::new();
        loop {
            let error = match file.commit(&self.lake, stamp).await {
                Ok(committed) => {
                    self.trouble.clear();
                    self.meters.count_file(&committed);
                    return Ok(committed);
                }
                Err(CommitError::Lake(e)) if e.is_transient() => e,
                Err(CommitError::Overtaken { path }) => return Err(StageError::Overtaken { path }),
                Err(e) => return Err(e.into()),
            };
            let delay = pause.next_delay();
            tracing::warn!(file = file.path(), "{error}; trying again in {delay:?}");
            self.trouble.set(&error);
            self.meters.commit_retries.increment(1);
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.give_up.cancelled() => {
                    return Err(StageError::StoppedUncommitted { reason: error.to_string() });
                }
            }
        }
    }
}

/// The record at an offset; `None` when the log does not hold it.
pub async fn record_at(
    client: &Client,
    topic: &str,
    partition: u32,
    offset: i64,
) -> Result<Option<Record>, StageError> {
    let log = reader::offsets(client, topic, partition).await?;
    if offset < log.start || offset >= log.end {
        return Ok(None);
    }
    let records = reader::read_range(client, topic, partition, offset..offset + 1).await?;
    Ok(records.into_iter().next())
}

/// SHA-256 of a record: timestamp, whether it has a key, the key's length, key, value.
pub fn hash(record: &Record) -> String {
    let mut hasher = Sha256::new();
    hasher.update(record.timestamp_ms.to_le_bytes());
    match &record.key {
        Some(key) => {
            hasher.update([1]);
            hasher.update((key.len() as u64).to_le_bytes());
            hasher.update(key);
        }
        None => hasher.update([0]),
    }
    hasher.update(&record.value);
    hex(&hasher.finalize())
}
