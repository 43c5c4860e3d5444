//! The task that appends outputs to one output partition.
//!
//! Always true: it is the only writer of the partition, with one append in flight. After any failure it drops its
//! writer, reads from the topic which input the last record was made from, and resumes after that one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::Cluster;
use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use metrics::Counter;
use tokio::sync::{mpsc, watch};

use super::error::OutputError;
use super::tail::tail;
use crate::status::{DestinationStatus, TroubleSpot};

/// How long the broker may take to acknowledge an append.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// Outputs that queued up during an append go out together, up to this size.
pub(crate) const APPEND_BYTES_MAX: usize = 4 << 20;

/// An output and the input it was made from.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The input's offset.
    pub source_offset: i64,
    /// The output.
    pub record: Outgoing,
}

impl Pending {
    pub(crate) fn bytes(&self) -> usize {
        self.record.value.len() + self.record.key.as_ref().map_or(0, |key| key.len()) + 64
    }
}

/// How far an output partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The last input whose output is in the topic for good.
    pub source_offset: i64,
    /// The topic's next offset after it.
    pub end: i64,
}

/// Where the appender reports how an output partition is doing.
#[derive(Debug)]
pub(crate) struct OutputReport {
    /// Records it acknowledged.
    pub status: Arc<DestinationStatus>,
    /// The same number for Prometheus.
    pub records: Counter,
    /// Why appends fail.
    pub trouble: TroubleSpot,
}

impl OutputReport {
    fn count(&self, records: usize) {
        let records = records as u64;
        self.status.records.fetch_add(records, Ordering::Relaxed);
        self.records.increment(records);
    }
}

/// The state of the task.
pub(super) struct Appender {
    pub cluster: Cluster,
    pub topic: String,
    pub partition: u32,
    /// How far the partition is, for everyone who waits for it.
    pub progress: watch::Sender<Acknowledged>,
    /// Bytes in the queue and in the batch.
    pub waiting_bytes: Arc<AtomicU64>,
    pub report: OutputReport,
    pub writer: Option<TopicWriter>,
    pub batch: Batch,
}

/// What is not acknowledged yet; `offsets[i]` is the input of `records[i]`.
#[derive(Default)]
pub(super) struct Batch {
    offsets: Vec<i64>,
    records: Vec<Outgoing>,
}

impl Batch {
    /// Adds outputs; returns their size.
    fn add(&mut self, outputs: Vec<Pending>) -> usize {
        let mut bytes = 0;
        for output in outputs {
            bytes += output.bytes();
            self.offsets.push(output.source_offset);
            self.records.push(output.record);
        }
        bytes
    }

    /// Removes the outputs of inputs up to this one; returns their number.
    fn remove_up_to(&mut self, source_offset: i64) -> usize {
        let held = self
            .offsets
            .partition_point(|offset| *offset <= source_offset);
        self.offsets.drain(..held);
        self.records.drain(..held);
        held
    }

    fn clear(&mut self) {
        self.offsets.clear();
        self.records.clear();
    }
}

impl Appender {
    /// Appends what comes from the queue until the queue is closed.
    ///
    /// # Errors
    /// The first failure that a later attempt cannot mend.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Vec<Pending>>,
    ) -> Result<(), OutputError> {
        let mut backoff = Backoff::new();
        while let Some(outputs) = queue.recv().await {
            let mut bytes = self.batch.add(outputs);
            while bytes < APPEND_BYTES_MAX
                && let Ok(more) = queue.try_recv()
            {
                bytes += self.batch.add(more);
            }
            while !self.batch.records.is_empty() {
                match self.append().await {
                    Ok(()) => {
                        self.report.trouble.clear();
                        backoff.reset();
                    }
                    Err(error) if error.is_transient() => {
                        self.report.trouble.set(&error);
                        let delay = backoff.next_delay();
                        tracing::warn!(
                            topic = self.topic,
                            partition = self.partition,
                            "{error}; reading the topic's tail again in {delay:?}"
                        );
                        tokio::time::sleep(delay).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            self.waiting_bytes
                .fetch_sub(bytes as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn append(&mut self) -> Result<(), OutputError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open().await?,
        };
        let Some(source_offset) = self.batch.offsets.last().copied() else {
            self.writer = Some(writer);
            return Ok(());
        };
        // On an error the writer is dropped: the state of the append is unknown then.
        let range = writer.append(&self.batch.records).await?;
        self.writer = Some(writer);
        self.report.count(self.batch.records.len());
        self.batch.clear();
        self.progress.send_replace(Acknowledged {
            source_offset,
            end: range.end,
        });
        Ok(())
    }

    /// Opens a writer, and drops from the batch what the topic holds.
    async fn open(&mut self) -> Result<TopicWriter, OutputError> {
        let client = self.cluster.connect().await?;
        // The writer comes first: the end that it found stays the end, unless somebody else writes.
        let writer = TopicWriter::open(&client, &self.topic, self.partition, ACK_TIMEOUT).await?;
        let Some(tail) = tail(&client, &self.topic, self.partition).await? else {
            return Ok(writer);
        };
        let held = self.batch.remove_up_to(tail.source_offset);
        self.report.count(held);
        let end = writer.end_offset();
        self.progress.send_if_modified(|acknowledged| {
            let newer = tail.source_offset > acknowledged.source_offset;
            if newer {
                *acknowledged = Acknowledged {
                    source_offset: tail.source_offset,
                    end,
                };
            }
            newer
        });
        Ok(writer)
    }
}
