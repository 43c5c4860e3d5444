//! Follows a topic, all its partitions, without gaps, for as long as the console runs.
//!
//! It waits for a topic that does not exist yet, and reconnects to a broker that went away. Where the log no longer holds
//! the position (retention, or the topic was recreated), it starts again near the end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::{Cluster, ClusterError, PartitionError};
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
            if let FollowError::Read(
                ReadError::OffsetEvicted { .. } | ReadError::OffsetBeyondEnd { .. },
            ) = error
            {
                positions.clear();
                self.next.clear();
            }
            tokio::time::sleep(reconnect.next_delay()).await;
        }
    }

    async fn read(
        &self,
        positions: &mut BTreeMap<u32, i64>,
        reconnect: &mut Backoff,
        take: &mut impl FnMut(u32, &[Record]),
    ) -> Result<Infallible, FollowError> {
        let client = self.cluster.connect().await?;
        let mut reads = FuturesUnordered::new();
        for partition in 0..topic::partition_count(&client, &self.topic).await? {
            let from = match positions.get(&partition) {
                Some(position) => *position,
                None => {
                    let held = reader::offsets(&client, &self.topic, partition).await?;
                    let from = match self.next.get(&partition) {
                        // A topic that was made anew ends before it.
                        Some(next) if *next <= held.end => (*next).max(held.end - AGAIN_MAX),
                        _ => held.end - self.back,
                    };
                    held.start.max(from)
                }
            };
            let reader = PlainReader::open(&client, &self.topic, partition, from).await?;
            reads.push(next(partition, reader));
        }
        loop {
            // A topic has at least one partition, so there is always a read to wait for.
            let Some((partition, reader, records)) = reads.next().await else {
                return std::future::pending().await;
            };
            let records = records?;
            take(partition, &records);
            positions.insert(partition, reader.position());
            reconnect.reset();
            reads.push(next(partition, reader));
        }
    }
}

async fn next(
    partition: u32,
    mut reader: PlainReader,
) -> (u32, PlainReader, Result<Vec<Record>, ReadError>) {
    let records = reader.next().await;
    (partition, reader, records)
}
