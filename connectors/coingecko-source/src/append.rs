//! Records into the topic, in order, each once.
//!
//! Always true: a lane is the only writer of its partition and has one append under way. When an append fails, nobody
//! knows how much of it arrived; the lane reads the topic from where the append began, drops what it finds there, and
//! sends the rest: nothing twice, nothing left out, also when the broker was away in between.

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::clock::Working;
use connector_runtime::cluster::{Cluster, ClusterError};
use connector_runtime::reader::{self, ReadError};
use connector_runtime::record::{Outgoing, Record};
use connector_runtime::writer::{TopicWriter, WriteError, WriterOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use crate::partition::partition_of;
use crate::status::{ErrorKind, SourceStatus};

const ACK_TIMEOUT: Duration = Duration::from_secs(15);
/// After the stop signal: how long a broker that is away is waited for.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Polls that go into one append when they come faster than the topic takes them.
const POLLS_MAX: usize = 64;

/// The records of one poll on their way to the topic; they hold their share of the queue's memory.
pub(crate) struct Batch {
    pub records: Vec<Outgoing>,
    pub room: OwnedSemaphorePermit,
    pub work: Working,
}

/// Where to write.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub cluster: Cluster,
    pub topic: String,
    pub partitions: u32,
    pub compression: Option<fluvio::Compression>,
}

/// Appends batches until there are no more.
///
/// # Errors
/// When the topic cannot be written to and trying again cannot help, or was away too long after the stop signal.
pub(crate) async fn append_all(
    target: Target,
    mut batches: mpsc::Receiver<Batch>,
    stop: CancellationToken,
    status: Arc<SourceStatus>,
) -> anyhow::Result<()> {
    let mut lanes: Vec<Lane> = (0..target.partitions).map(Lane::new).collect();
    let mut polls = Vec::with_capacity(POLLS_MAX);
    while batches.recv_many(&mut polls, POLLS_MAX).await > 0 {
        let mut rooms = Vec::with_capacity(polls.len());
        for batch in polls.drain(..) {
            rooms.push((batch.room, batch.work));
            for record in batch.records {
                let partition = partition_of(record.key.as_deref(), target.partitions);
                lanes[partition as usize].pending.push(record);
            }
        }
        let flushes = lanes.iter_mut().map(|lane| lane.flush(&target, &status));
        tokio::select! {
            flushed = futures_util::future::try_join_all(flushes) => flushed?,
            () = patience(&stop) => anyhow::bail!(
                "stopped, but {} does not take what was fetched: the last polls are lost",
                target.topic
            ),
        };
    }
    Ok(())
}

async fn patience(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_PATIENCE).await;
}

/// One partition.
struct Lane {
    partition: u32,
    writer: Option<TopicWriter>,
    /// Not acknowledged yet.
    pending: Vec<Outgoing>,
    /// Where an append began that failed: part of `pending` may be there.
    in_doubt: Option<i64>,
}

impl Lane {
    fn new(partition: u32) -> Self {
        Self {
            partition,
            writer: None,
            pending: Vec::new(),
            in_doubt: None,
        }
    }

    /// Returns when everything pending is acknowledged.
    async fn flush(&mut self, target: &Target, status: &SourceStatus) -> anyhow::Result<()> {
        let mut reconnect = Backoff::new();
        let mut away = false;
        while !self.pending.is_empty() {
            let Err(failure) = self.attempt(target, status).await else {
                continue;
            };
            self.writer = None;
            status.count_error(ErrorKind::Append);
            let name = format!("{}/{}", target.topic, self.partition);
            if !failure.transient {
                return Err(failure.error.context(format!("cannot write to {name}")));
            }
            // Once: a broker that is away for a minute is not worth a line a second.
            if !away {
                tracing::warn!(
                    "cannot write to {name}: {:#}; {} records wait until it answers",
                    failure.error,
                    self.pending.len()
                );
            }
            away = true;
            status.appending(self.partition, Some(format!("{:#}", failure.error)));
            tokio::time::sleep(reconnect.next_delay()).await;
        }
        if away {
            status.appending(self.partition, None);
            tracing::info!("{}/{} takes records again", target.topic, self.partition);
        }
        Ok(())
    }

    async fn attempt(&mut self, target: &Target, status: &SourceStatus) -> Result<(), Failure> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(target, status).await?,
        };
        // The rest may have been found in the topic.
        if !self.pending.is_empty() {
            self.in_doubt = Some(writer.end_offset());
            writer.append(&self.pending).await?;
            self.in_doubt = None;
            status.count_records(self.pending.len());
            self.pending.clear();
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// A writer on a fresh connection; what is found to have arrived is pending no longer.
    async fn open(
        &mut self,
        target: &Target,
        status: &SourceStatus,
    ) -> Result<TopicWriter, Failure> {
        let client = target.cluster.connect().await?;
        let options = WriterOptions {
            ack_timeout: ACK_TIMEOUT,
            compression: target.compression,
        };
        let writer =
            TopicWriter::open_with(&client, &target.topic, self.partition, options).await?;
        if let Some(began) = self.in_doubt {
            let end = writer.end_offset();
            if end < began {
                tracing::error!(
                    "{}/{} ends at {end} where it had {began} records: it was emptied or made anew",
                    target.topic,
                    self.partition
                );
            } else {
                let range = began..end;
                let found =
                    reader::read_range(&client, &target.topic, self.partition, range).await?;
                let arrived = arrived(&self.pending, &found);
                self.pending.drain(..arrived);
                status.count_records(arrived);
            }
            self.in_doubt = None;
        }
        Ok(writer)
    }
}

/// How many of the records sent, from the first on, are among those found, in this order. Somebody else's records in
/// between don't confuse it.
fn arrived(sent: &[Outgoing], found: &[Record]) -> usize {
    let mut arrived = 0;
    for record in found {
        let next = sent.get(arrived);
        if next.is_some_and(|sent| sent.key == record.key && sent.value == record.value) {
            arrived += 1;
        }
    }
    arrived
}

/// What went wrong with an attempt, and whether another can help.
struct Failure {
    error: anyhow::Error,
    transient: bool,
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        let transient = error.is_transient();
        Self {
            error: error.into(),
            transient,
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let transient = error.is_transient();
        Self {
            error: error.into(),
            transient,
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let transient = error.is_transient();
        Self {
            error: error.into(),
            transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(values: &[&'static str]) -> Vec<Outgoing> {
        let outgoing = |value: &&'static str| Outgoing {
            key: Some("k".into()),
            value: (*value).into(),
        };
        values.iter().map(outgoing).collect()
    }

    fn found(values: &[&'static str]) -> Vec<Record> {
        let record = |(offset, value): (i64, &&'static str)| Record {
            offset,
            timestamp_ms: 0,
            key: Some("k".into()),
            value: (*value).into(),
        };
        (0..).zip(values).map(record).collect()
    }

    #[test]
    fn what_arrived_is_the_start_of_what_was_sent() {
        let sent = sent(&["a", "b", "a", "c"]);
        for (there, expected) in [
            (&[][..], 0),
            (&["a"], 1),
            (&["a", "b"], 2),
            (&["a", "b", "a", "c"], 4),
            (&["x", "a", "y", "b"], 2),
            (&["b", "c"], 0),
        ] {
            assert_eq!(arrived(&sent, &found(there)), expected, "{there:?}");
        }
    }
}
