//! Creating topics and asking about them.

use std::time::Duration;

use fluvio::Compression;
use fluvio::metadata::topic::{
    CleanupPolicy, CompressionAlgorithm, Deduplication, SegmentBasedPolicy, TopicSpec,
    TopicStorageConfig,
};
use futures_util::future::BoxFuture;

use crate::cluster::Client;
use crate::cluster::leader::{Spu, SpuError, partition_specs, topic_spec};

/// A read never crosses a segment, so small segments keep answers small.
pub const SEGMENT_SIZE_BYTES: u32 = 16 * 1024 * 1024;

/// How long a new topic may take until each of its partitions has a leader.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the cluster is waited for to say that a topic is created, before the topic is looked for.
const CREATE_PATIENCE: Duration = Duration::from_secs(3);

/// How often the partitions are asked for then.
const SERVED_POLL: Duration = Duration::from_millis(250);

/// How often a new topic is looked at until it has its leaders.
const READY_POLL: Duration = Duration::from_millis(20);

/// A topic as a config describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// The topic's name.
    pub name: String,
    /// How many partitions; `None`: as many as it has, one when it is created.
    pub partitions: Option<u32>,
    /// Copies of each partition; `None`: one.
    pub replication: Option<u32>,
    /// Whether partitions are placed without regard to racks.
    pub ignore_rack_assignment: bool,
    /// Which SPUs hold which partition, leader first; empty: the cluster decides.
    pub replica_assignment: Vec<(u32, Vec<i32>)>,
    /// How long records are kept; `None`: the cluster's default, a week.
    pub retention: Option<Duration>,
    /// Upper bound of a segment file; `None`: [`SEGMENT_SIZE_BYTES`].
    pub segment_size_bytes: Option<u32>,
    /// Upper bound of a partition; `None`: the cluster's default.
    pub partition_size_bytes_max: Option<u64>,
    /// What producers must use; `None`: anything.
    pub compression: Option<Compression>,
    /// Dropping repeated records on arrival; `None`: nothing is dropped. A [`TopicWriter`](crate::writer::TopicWriter)
    /// refuses such a topic.
    pub deduplication: Option<Deduplication>,
}

impl TopicSettings {
    /// A topic of that name, everything else by default.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            partitions: None,
            replication: None,
            ignore_rack_assignment: false,
            replica_assignment: Vec::new(),
            retention: None,
            segment_size_bytes: None,
            partition_size_bytes_max: None,
            compression: None,
            deduplication: None,
        }
    }

    /// With so many partitions.
    pub fn with_partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// As the cluster is told.
    pub fn spec(&self) -> TopicSpec {
        let mut spec = if self.replica_assignment.is_empty() {
            TopicSpec::new_computed(
                self.partitions.unwrap_or(1),
                self.replication.unwrap_or(1),
                Some(self.ignore_rack_assignment),
            )
        } else {
            TopicSpec::new_assigned(self.replica_assignment.clone())
        };
        spec.set_storage(TopicStorageConfig {
            segment_size: Some(self.segment_size_bytes.unwrap_or(SEGMENT_SIZE_BYTES)),
            max_partition_size: self.partition_size_bytes_max,
        });
        if let Some(retention) = self.retention {
            spec.set_cleanup_policy(CleanupPolicy::Segment(SegmentBasedPolicy {
                time_in_seconds: u32::try_from(retention.as_secs()).unwrap_or(u32::MAX),
            }));
        }
        spec.set_compression_type(match self.compression {
            None => CompressionAlgorithm::Any,
            Some(Compression::None) => CompressionAlgorithm::None,
            Some(Compression::Gzip) => CompressionAlgorithm::Gzip,
            Some(Compression::Snappy) => CompressionAlgorithm::Snappy,
            Some(Compression::Lz4) => CompressionAlgorithm::Lz4,
            Some(Compression::Zstd) => CompressionAlgorithm::Zstd,
        });
        spec.set_deduplication(self.deduplication.clone());
        spec
    }
}

/// Creates the topic unless it is there, and waits until it can be used. Returns its partition count. A topic that is
/// there keeps its settings; only another partition count than the one asked for is refused.
pub async fn ensure_topic(client: &Client, topic: &TopicSettings) -> Result<u32, TopicError> {
    let count = match topic_spec(client, &topic.name).await {
        Ok(found) => found.partitions(),
        Err(SpuError::TopicMissing { .. }) => {
            create_topic(client, &topic.name, topic.spec()).await?
        }
        Err(err) => return Err(err.into()),
    };
    if let Some(wanted) = topic.partitions
        && wanted != count
    {
        return Err(TopicError::OtherPartitionCount {
            topic: topic.name.clone(),
            count,
            wanted,
        });
    }
    wait_until_ready(client, &topic.name, count).await?;
    Ok(count)
}

/// Creates a topic, or finds that somebody else just did. Returns its partition count.
///
/// An SC answers when it has heard of every partition that it is online. It misses that when the SPU's report also names a
/// topic deleted a moment before, and is then silent on that connection for 90 s, longer than the client waits, although the
/// topic is good. So it is asked on a connection of its own, and after a while the partitions are asked for beside it.
///
/// # Errors
/// When the cluster refuses it or does not answer.
pub fn create_topic<'a>(
    client: &'a Client,
    name: &'a str,
    spec: TopicSpec,
) -> BoxFuture<'a, Result<u32, TopicError>> {
    Box::pin(create(client, name, spec))
}

async fn create(client: &Client, name: &str, spec: TopicSpec) -> Result<u32, TopicError> {
    let count = spec.partitions();
    let own = client.cluster().connect().await;
    let own = own.map_err(|err| TopicError::Disconnected {
        what: format!("creating topic {name}"),
        reason: err.to_string(),
    })?;
    let admin = own.admin().await;
    let found_beside = async {
        tokio::time::sleep(CREATE_PATIENCE).await;
        served(client, name, count).await
    };
    let created = tokio::select! {
        created = admin.create(name.to_owned(), false, spec) => created,
        found = found_beside => found.map(Ok)?,
    };
    match created {
        Ok(()) => {
            tracing::info!(topic = name, partitions = count, "topic created");
            Ok(count)
        }
        Err(err) => match topic_spec(client, name).await {
            Ok(found) => Ok(found.partitions()),
            Err(SpuError::TopicMissing { .. }) => Err(TopicError::NotCreated {
                topic: name.to_owned(),
                reason: format!("{err:#}"),
            }),
            Err(err) => Err(err.into()),
        },
    }
}

/// The cluster assigns partitions after it has answered that the topic is created.
async fn wait_until_ready(client: &Client, topic: &str, count: u32) -> Result<(), TopicError> {
    let ready = assigned(client, topic, count, READY_POLL);
    match tokio::time::timeout(READY_TIMEOUT, ready).await {
        Ok(outcome) => outcome,
        Err(_) => Err(TopicError::NotReady {
            topic: topic.to_owned(),
            waited_secs: READY_TIMEOUT.as_secs(),
        }),
    }
}

/// Waits until all its partitions are assigned.
async fn assigned(
    client: &Client,
    topic: &str,
    count: u32,
    poll: Duration,
) -> Result<(), TopicError> {
    while partition_specs(client, topic).await?.len() < count as usize {
        tokio::time::sleep(poll).await;
    }
    Ok(())
}

/// Waits until the leader of each partition answers for it.
async fn served(client: &Client, topic: &str, count: u32) -> Result<(), TopicError> {
    assigned(client, topic, count, SERVED_POLL).await?;
    for partition in 0..count {
        loop {
            let offsets = async {
                Spu::connect(client, topic, partition)
                    .await?
                    .offsets()
                    .await
            };
            match offsets.await {
                Ok(_) => break,
                Err(SpuError::Disconnected { .. }) => tokio::time::sleep(SERVED_POLL).await,
                Err(err) => return Err(err.into()),
            }
        }
    }
    Ok(())
}

/// How many partitions a topic has.
pub async fn partition_count(client: &Client, topic: &str) -> Result<u32, TopicError> {
    Ok(topic_spec(client, topic).await?.partitions())
}

/// Why a topic is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    Missing {
        /// Its name.
        topic: String,
    },
    /// It is there, and different.
    #[error(
        "topic {topic} has {count} partitions where {wanted} are asked for: a stage writes partition i from partition i, \
         so set the count in the config to {count}, or delete the topic to have it made anew"
    )]
    OtherPartitionCount {
        /// Its name.
        topic: String,
        /// How many it has.
        count: u32,
        /// How many were asked for.
        wanted: u32,
    },
    /// The cluster would not create it.
    #[error("topic {topic} cannot be created: {reason}")]
    NotCreated {
        /// Its name.
        topic: String,
        /// What the cluster said.
        reason: String,
    },
    /// The cluster does not come round to assigning its partitions.
    #[error(
        "topic {topic} has partitions without a leader after {waited_secs} s: `fluvio topic describe {topic}` and \
         `fluvio cluster spu list` show why, often fewer SPUs than replicas"
    )]
    NotReady {
        /// Its name.
        topic: String,
        /// How long was waited.
        waited_secs: u64,
    },
    /// The connection is gone: connect again.
    #[error("{what}: {reason}")]
    Disconnected {
        /// What was being done.
        what: String,
        /// What happened.
        reason: String,
    },
}

impl TopicError {
    /// Whether trying again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::NotReady { .. })
    }
}

impl From<SpuError> for TopicError {
    fn from(err: SpuError) -> Self {
        match err {
            SpuError::TopicMissing { topic } | SpuError::PartitionMissing { topic, .. } => {
                Self::Missing { topic }
            }
            SpuError::Disconnected { what, reason } => Self::Disconnected { what, reason },
        }
    }
}
