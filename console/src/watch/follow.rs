//! Follows a topic, all its partitions, without gaps, for as long as the console runs.
//!
//! It waits for a topic that does not exist yet, and reconnects to a broker that went away. Where a partition's log no longer
//! holds the position (retention, or the topic was recreated), it starts again near the end of that one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::{Client, Cluster, ClusterError, PartitionError};
use connector_runtime::reader::{self, PlainReader, ReadError};
use connector_runtime::record::Record;
use connector_runtime::topic::{self, TopicError};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Pause before looking again for a topic that does not exist.
const MISSING_POLL: Duration = Duration::from_secs(5);
const AGAIN_MAX: i64 = 5_000;

/// A topic to follow.
pub(crate) struct Follow {
    pub cluster: Cluster,
    pub topic: String,
    /// Start this many records before the end of each partition.
    pub back: i64,
    /// By partition, the next record of a reader who was here before. At most [`AGAIN_MAX`] before the end are read again.
    pub next: BTreeMap<u32, i64>,
}

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Follow {
    /// Passes the records of each partition to `take`, in order. Never returns.
    pub(crate) async fn run(mut self, mut take: impl FnMut(u32, &[Record])) {
        let mut positions = BTreeMap::new();
        let mut reconnect = Backoff::new();
        loop {
            let read = self.read(&mut positions, &mut reconnect, &mut take);
            let Err(error) = read.await;
            let missing = matches!(
                error,
                FollowError::Topic(TopicError::Missing { .. })
                    | FollowError::Read(ReadError::Partition(PartitionError::TopicMissing { .. }))
            );
            if missing {
                positions.clear();
                self.next.clear();
                tokio::time::sleep(MISSING_POLL).await;
                continue;
            }
            tracing::debug!(topic = %self.topic, %error, "following starts again");
            tokio::time::sleep(reconnect.next_delay()).await;
        }
    }

    async fn read(
        &mut self,
        positions: &mut BTreeMap<u32, i64>,
        reconnect: &mut Backoff,
        take: &mut impl FnMut(u32, &[Record]),
    ) -> Result<Infallible, FollowError> {
        let client = self.cluster.connect().await?;
        let mut reads = FuturesUnordered::new();
        for partition in 0..topic::partition_count(&client, &self.topic).await? {
            let mut opened = self.open(&client, positions, partition).await;
            if opened.as_ref().is_err_and(is_gone) {
                self.forget(positions, partition);
                opened = self.open(&client, positions, partition).await;
            }
            reads.push(next(partition, opened?));
        }
        loop {
            // A topic has at least one partition, so there is always a read to wait for.
            let Some((partition, reader, records)) = reads.next().await else {
                return std::future::pending().await;
            };
            if records.as_ref().is_err_and(is_gone) {
                self.forget(positions, partition);
            }
            let records = records?;
            take(partition, &records);
            positions.insert(partition, reader.position());
            reconnect.reset();
            reads.push(next(partition, reader));
        }
    }

    async fn open(
        &self,
        client: &Client,
        positions: &BTreeMap<u32, i64>,
        partition: u32,
    ) -> Result<PlainReader, ReadError> {
        let from = match positions.get(&partition) {
            Some(position) => *position,
            None => {
                let held = reader::offsets(client, &self.topic, partition).await?;
                let from = match self.next.get(&partition) {
                    // A topic that was made anew ends before it.
                    Some(next) if *next <= held.end => (*next).max(held.end - AGAIN_MAX),
                    _ => held.end - self.back,
                };
                held.start.max(from)
            }
        };
        PlainReader::open(client, &self.topic, partition, from).await
    }

    /// A partition starts again near its end. The others go on: what they read again would be taken for new.
    fn forget(&mut self, positions: &mut BTreeMap<u32, i64>, partition: u32) {
        positions.remove(&partition);
        self.next.remove(&partition);
    }
}

/// Whether the log no longer holds the position.
fn is_gone(error: &ReadError) -> bool {
    matches!(
        error,
        ReadError::OffsetEvicted { .. } | ReadError::OffsetBeyondEnd { .. }
    )
}

async fn next(
    partition: u32,
    mut reader: PlainReader,
) -> (u32, PlainReader, Result<Vec<Record>, ReadError>) {
    let records = reader.next().await;
    (partition, reader, records)
}

#[cfg(test)]
mod tests {
    use connector_runtime::record::Outgoing;
    use connector_runtime::writer::TopicWriter;
    use fixtures::broker::TestBroker;
    use fixtures::patience::{PATIENCE, within};
    use tokio::sync::mpsc;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    async fn append(client: &Client, partition: u32, count: usize) {
        let writer = TopicWriter::open(client, "t", partition, PATIENCE);
        let record = Outgoing {
            key: None,
            value: "a".into(),
        };
        let mut writer = writer.await.unwrap();
        writer.append(&vec![record; count]).await.unwrap();
    }

    /// As after a power cut at the leader of partition 0.
    #[tokio::test]
    async fn a_partition_that_lost_records_does_not_make_the_others_start_again() {
        let mut broker = TestBroker::start().await;
        let mut shorter = TestBroker::start().await;
        for (broker, count) in [(&broker, 3), (&shorter, 2)] {
            broker.create_topic("t", 2).await;
            append(broker.client(), 0, count).await;
            append(broker.client(), 1, 2).await;
        }
        shorter.stop().await;
        let (taken, mut records) = mpsc::unbounded_channel();
        let follow = Follow {
            cluster: broker.cluster(),
            topic: "t".to_owned(),
            back: 10,
            next: BTreeMap::new(),
        };
        let follow = follow.run(move |partition, records| {
            for record in records {
                taken.send((partition, record.offset)).unwrap();
            }
        });
        let _following = AbortOnDropHandle::new(tokio::spawn(follow));
        let mut next = async |count: usize| {
            let mut found = Vec::new();
            while found.len() < count {
                found.extend(within(records.recv()).await);
            }
            found.sort_unstable();
            found
        };
        let all = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)];
        assert_eq!(next(5).await, all);
        let data = shorter.data_dir().to_owned();
        broker.restart_with(|config| config.data_dir = data).await;
        assert_eq!(next(2).await, [(0, 0), (0, 1)]);
        append(broker.client(), 1, 1).await;
        assert_eq!(next(1).await, [(1, 2)]);
    }
}
