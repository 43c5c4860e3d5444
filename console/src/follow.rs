//! Following a topic: all its partitions, without a gap, from so many records back, for as long as the console runs.
//!
//! A topic that is not there yet is waited for, a broker that went away is connected to again. Where the log no longer
//! holds the position (retention, or a topic made anew), following begins again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use connector_runtime::cluster::{Cluster, ClusterError};
use connector_runtime::reader::{self, PlainReader, ReadError, Record};
use connector_runtime::retry::Reconnect;
use connector_runtime::topic::{self, TopicError};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::meters;

/// How often a topic that does not exist is looked for.
const MISSING_POLL: Duration = Duration::from_secs(5);

/// A topic to follow.
pub(crate) struct Follow {
    pub cluster: Cluster,
    pub topic: String,
    /// How many records before the end of each partition to start.
    pub back: i64,
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
    /// Hands records to `take`, partition by partition in order, and never returns.
    pub async fn run(self, mut take: impl FnMut(u32, &[Record])) {
        let mut positions = BTreeMap::new();
        let mut reconnect = Reconnect::new();
        loop {
            let read = self.read(&mut positions, &mut reconnect, &mut take);
            let Err(error) = read.await;
            let missing = matches!(
                error,
                FollowError::Topic(TopicError::Missing { .. })
                    | FollowError::Read(ReadError::TopicMissing { .. })
            );
            if missing {
                positions.clear();
                tokio::time::sleep(MISSING_POLL).await;
                continue;
            }
            tracing::debug!(topic = %self.topic, %error, "following begins again");
            if let FollowError::Read(
                ReadError::OffsetEvicted { .. } | ReadError::OffsetBeyondEnd { .. },
            ) = error
            {
                positions.clear();
            }
            tokio::time::sleep(reconnect.next_delay()).await;
        }
    }

    async fn read(
        &self,
        positions: &mut BTreeMap<u32, i64>,
        reconnect: &mut Reconnect,
        take: &mut impl FnMut(u32, &[Record]),
    ) -> Result<Infallible, FollowError> {
        let client = self.cluster.connect().await?;
        let taken = meters::records(&self.topic);
        let mut answers = FuturesUnordered::new();
        for partition in 0..topic::partition_count(&client, &self.topic).await? {
            let from = match positions.get(&partition) {
                Some(position) => *position,
                None => {
                    let held = reader::offsets(&client, &self.topic, partition).await?;
                    held.start.max(held.end - self.back)
                }
            };
            let reader = PlainReader::open(&client, &self.topic, partition, from).await?;
            answers.push(next(partition, reader));
        }
        loop {
            // There is an answer to wait for as long as there is a partition, and a topic has at least one.
            let Some((partition, reader, records)) = answers.next().await else {
                return std::future::pending().await;
            };
            let records = records?;
            taken.increment(records.len() as u64);
            take(partition, &records);
            positions.insert(partition, reader.position());
            reconnect.reset();
            answers.push(next(partition, reader));
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

/// Tells the doubles that a dead process's last append may leave in a derived topic.
#[derive(Debug, Default)]
pub(crate) struct Doubles(BTreeMap<u32, Seen>);

#[derive(Debug)]
struct Seen {
    offset: i64,
    source_offset: i64,
}

impl Doubles {
    /// Whether a record made from `source_offset` has been seen before in this partition.
    pub fn is_double(&mut self, partition: u32, record: &Record, source_offset: i64) -> bool {
        let seen = self.0.get(&partition);
        // Offsets only fall when the topic was made anew, and with it what it is made from.
        if seen
            .is_some_and(|seen| record.offset > seen.offset && source_offset <= seen.source_offset)
        {
            return true;
        }
        let seen = Seen {
            offset: record.offset,
            source_offset,
        };
        self.0.insert(partition, seen);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_an_input_not_above_the_greatest_is_a_double() {
        let record = |offset| Record {
            offset,
            timestamp_ms: 0,
            key: None,
            value: Default::default(),
        };
        let mut doubles = Doubles::default();
        assert!(!doubles.is_double(0, &record(10), 7));
        assert!(doubles.is_double(0, &record(11), 7));
        assert!(doubles.is_double(0, &record(12), 3));
        assert!(!doubles.is_double(0, &record(13), 9));
        assert!(!doubles.is_double(1, &record(0), 7));
        assert!(!doubles.is_double(0, &record(0), 0), "a topic made anew");
    }
}
