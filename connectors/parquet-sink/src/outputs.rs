//! An output topic: outputs are appended as they come, in order, each once.
//!
//! Always true: one task is the only writer of the partition, with one append in flight. After any failure it drops its
//! writer, asks the topic which input its last record was made from, and goes on after that one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connector_runtime::cluster::{Cluster, ClusterError};
use connector_runtime::reader::{self, ReadError};
use connector_runtime::retry::Reconnect;
use connector_runtime::writer::{Outgoing, TopicWriter, WriteError};
use metrics::Counter;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::envelope::source_offset;
use crate::status::{DestinationStatus, TroubleSpot};

/// How long the broker may take to acknowledge an append.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// What piled up while an append was in flight goes out together, up to this.
pub const APPEND_BYTES_MAX: usize = 4 << 20;
/// Handfuls of outputs that may wait.
const WAITING_MAX: usize = 8;

/// An output and the input it was made from.
#[derive(Debug)]
pub struct Pending {
    /// The input's offset.
    pub source_offset: i64,
    /// The output.
    pub record: Outgoing,
}

impl Pending {
    fn bytes(&self) -> usize {
        self.record.value.len() + self.record.key.as_ref().map_or(0, |key| key.len()) + 64
    }
}

/// How far an output topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// The last input whose output is in the topic for good.
    pub source_offset: i64,
    /// The topic's next offset after it.
    pub end: i64,
}

/// Why an output topic cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// No connection.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Appending failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Looking at the tail failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Somebody else wrote into it.
    #[error(
        "the last record of {topic}/{partition} was not written by this stage: {reason}; a topic destination must have no other writer"
    )]
    Foreign {
        /// The output topic.
        topic: String,
        /// Its partition.
        partition: u32,
        /// What is wrong with the record.
        reason: String,
    },
    /// The task is gone.
    #[error("writing {0} ended unexpectedly")]
    Ended(String),
}

impl OutputError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Cluster(e) => e.is_transient(),
            Self::Write(e) => e.is_transient(),
            Self::Read(e) => e.is_transient(),
            Self::Foreign { .. } | Self::Ended(_) => false,
        }
    }
}

/// Where it is told how an output topic is doing.
#[derive(Debug)]
pub(crate) struct Told {
    /// Records it acknowledged.
    pub status: Arc<DestinationStatus>,
    /// The same, for Prometheus.
    pub records: Counter,
    /// Why it takes none.
    pub trouble: TroubleSpot,
}

/// The way to one output partition.
#[derive(Debug)]
pub struct TopicOutput {
    topic: String,
    queue: mpsc::Sender<Vec<Pending>>,
    acknowledged: watch::Receiver<Acknowledged>,
    waiting_bytes: Arc<AtomicU64>,
    task: JoinHandle<Result<(), OutputError>>,
}

impl TopicOutput {
    /// Starts writing; `from` is where the topic stands.
    pub(crate) fn start(
        cluster: Cluster,
        topic: &str,
        partition: u32,
        from: Acknowledged,
        told: Told,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let (progress, acknowledged) = watch::channel(from);
        let waiting_bytes = Arc::new(AtomicU64::new(0));
        let appender = Appender {
            cluster,
            topic: topic.to_owned(),
            partition,
            progress,
            waiting_bytes: waiting_bytes.clone(),
            told,
            writer: None,
            offsets: Vec::new(),
            records: Vec::new(),
        };
        Self {
            topic: topic.to_owned(),
            queue,
            acknowledged,
            waiting_bytes,
            task: tokio::spawn(appender.run(waiting)),
        }
    }

    /// Hands over outputs; waits while too many are waiting already.
    ///
    /// # Errors
    /// Why writing ended.
    pub async fn send(&mut self, outputs: Vec<Pending>) -> Result<(), OutputError> {
        let bytes: usize = outputs.iter().map(Pending::bytes).sum();
        self.waiting_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        match self.queue.send(outputs).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// How far the topic is.
    pub fn progress(&self) -> watch::Receiver<Acknowledged> {
        self.acknowledged.clone()
    }

    /// What waits to be acknowledged.
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Resolves when writing failed for good.
    pub async fn failure(&mut self) -> OutputError {
        match (&mut self.task).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => OutputError::Ended(self.topic.clone()),
        }
    }
}

impl Drop for TopicOutput {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Told {
    fn count(&self, records: usize) {
        let records = records as u64;
        self.status.records.fetch_add(records, Ordering::Relaxed);
        self.records.increment(records);
    }
}

struct Appender {
    cluster: Cluster,
    topic: String,
    partition: u32,
    progress: watch::Sender<Acknowledged>,
    waiting_bytes: Arc<AtomicU64>,
    told: Told,
    writer: Option<TopicWriter>,
    /// Not acknowledged yet, `offsets[i]` is the input of `records[i]`.
    offsets: Vec<i64>,
    records: Vec<Outgoing>,
}

impl Appender {
    async fn run(mut self, mut waiting: mpsc::Receiver<Vec<Pending>>) -> Result<(), OutputError> {
        let mut pause = Reconnect::new();
        while let Some(outputs) = waiting.recv().await {
            let mut bytes = self.take(outputs);
            while bytes < APPEND_BYTES_MAX
                && let Ok(more) = waiting.try_recv()
            {
                bytes += self.take(more);
            }
            while !self.records.is_empty() {
                match self.append().await {
                    Ok(()) => {
                        self.told.trouble.clear();
                        pause.reset();
                    }
                    Err(e) if e.is_transient() => {
                        self.writer = None;
                        self.told.trouble.set(&e);
                        let delay = pause.next_delay();
                        tracing::warn!(
                            topic = self.topic,
                            partition = self.partition,
                            "{e}; looking at the tail again in {delay:?}"
                        );
                        tokio::time::sleep(delay).await;
                    }
                    Err(e) => return Err(e),
                }
            }
            self.waiting_bytes
                .fetch_sub(bytes as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    fn take(&mut self, outputs: Vec<Pending>) -> usize {
        let mut bytes = 0;
        for output in outputs {
            bytes += output.bytes();
            self.offsets.push(output.source_offset);
            self.records.push(output.record);
        }
        bytes
    }

    async fn append(&mut self) -> Result<(), OutputError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let client = self.cluster.connect().await?;
                // The writer first: what it was told is the end stays the end, unless somebody else writes.
                let writer =
                    TopicWriter::open(&client, &self.topic, self.partition, ACK_TIMEOUT).await?;
                let tail = tail(&client, &self.topic, self.partition).await?;
                let writer = self.writer.insert(writer);
                if let Some(Tail {
                    source_offset: tail,
                    ..
                }) = tail
                {
                    let there = self.offsets.partition_point(|offset| *offset <= tail);
                    self.offsets.drain(..there);
                    self.records.drain(..there);
                    self.told.count(there);
                    let end = writer.end_offset();
                    self.progress.send_if_modified(|acknowledged| {
                        let newer = tail > acknowledged.source_offset;
                        if newer {
                            *acknowledged = Acknowledged {
                                source_offset: tail,
                                end,
                            };
                        }
                        newer
                    });
                }
                writer
            }
        };
        let Some(source_offset) = self.offsets.last().copied() else {
            return Ok(());
        };
        let range = writer.append(&self.records).await?;
        self.told.count(self.records.len());
        self.records.clear();
        self.offsets.clear();
        self.progress.send_replace(Acknowledged {
            source_offset,
            end: range.end,
        });
        Ok(())
    }
}

/// The last record of an output partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its offset.
    pub offset: i64,
    /// The input it was made from.
    pub source_offset: i64,
}

/// Where an output partition ends.
///
/// # Errors
/// When it cannot be read, or is not ours.
pub async fn tail(
    client: &connector_runtime::cluster::Client,
    topic: &str,
    partition: u32,
) -> Result<Option<Tail>, OutputError> {
    let Some(record) = reader::read_tail(client, topic, partition).await? else {
        return Ok(None);
    };
    match source_offset(&record.value) {
        Ok(source_offset) => Ok(Some(Tail {
            offset: record.offset,
            source_offset,
        })),
        Err(reason) => Err(OutputError::Foreign {
            topic: topic.to_owned(),
            partition,
            reason,
        }),
    }
}
