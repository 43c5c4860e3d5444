//! The handle on one output partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use connector_runtime::cluster::Cluster;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::appender::{Acknowledged, Appender, Batch, OutputReport, Pending};
use super::error::OutputError;

/// How many batches of outputs may queue.
const QUEUE_LENGTH: usize = 8;

/// The queue to one output partition. Appending ends when it is dropped.
#[derive(Debug)]
pub(crate) struct TopicOutput {
    topic: String,
    queue: mpsc::Sender<Vec<Pending>>,
    acknowledged: watch::Receiver<Acknowledged>,
    waiting_bytes: Arc<AtomicU64>,
    task: JoinHandle<Result<(), OutputError>>,
}

impl TopicOutput {
    /// Starts the appending task; `from` is how far the partition is.
    pub(crate) fn start(
        cluster: Cluster,
        topic: &str,
        partition: u32,
        from: Acknowledged,
        report: OutputReport,
    ) -> Self {
        let (queue, outputs) = mpsc::channel(QUEUE_LENGTH);
        let (progress, acknowledged) = watch::channel(from);
        let waiting_bytes = Arc::new(AtomicU64::new(0));
        let appender = Appender {
            cluster,
            topic: topic.to_owned(),
            partition,
            progress,
            waiting_bytes: waiting_bytes.clone(),
            report,
            writer: None,
            batch: Batch::default(),
        };
        Self {
            topic: topic.to_owned(),
            queue,
            acknowledged,
            waiting_bytes,
            task: tokio::spawn(appender.run(outputs)),
        }
    }

    /// Queues outputs; waits while the queue is full.
    ///
    /// # Errors
    /// Why appending ended.
    pub(crate) async fn send(&mut self, outputs: Vec<Pending>) -> Result<(), OutputError> {
        let bytes: usize = outputs.iter().map(Pending::bytes).sum();
        self.waiting_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        match self.queue.send(outputs).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure().await),
        }
    }

    /// How far the partition is.
    pub(crate) fn progress(&self) -> watch::Receiver<Acknowledged> {
        self.acknowledged.clone()
    }

    /// Size of what is not acknowledged yet.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Resolves when appending has failed for good.
    pub(crate) async fn failure(&mut self) -> OutputError {
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
