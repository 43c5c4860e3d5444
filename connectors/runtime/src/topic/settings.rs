//! A topic as a configuration describes it.

use std::time::Duration;

use fluvio::Compression;
use fluvio::metadata::topic::{
    CleanupPolicy, CompressionAlgorithm, Deduplication, SegmentBasedPolicy, TopicSpec,
    TopicStorageConfig,
};

/// The default size of a segment file. A read never crosses a segment, so small segments keep responses small.
pub const SEGMENT_SIZE_BYTES: u32 = 16 * 1024 * 1024;

/// A topic as a configuration describes it.
///
/// ```
/// use connector_runtime::topic::TopicSettings;
///
/// let topic = TopicSettings::named("ticks").with_partitions(3);
/// assert_eq!(topic.spec().partitions(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// The topic's name.
    pub name: String,
    /// The number of partitions. `None`: any number; a topic that does not exist is created with one.
    pub partitions: Option<u32>,
    /// Replicas of each partition; `None`: one.
    pub replication: Option<u32>,
    /// Whether the cluster ignores racks when it assigns replicas.
    pub ignore_rack_assignment: bool,
    /// The SPUs of each partition, the leader first; empty: the cluster decides.
    pub replica_assignment: Vec<(u32, Vec<i32>)>,
    /// How long records are kept; `None`: the cluster's default, a week.
    pub retention: Option<Duration>,
    /// The largest segment file; `None`: [`SEGMENT_SIZE_BYTES`].
    pub segment_size_bytes: Option<u32>,
    /// The largest partition; `None`: the cluster's default.
    pub partition_size_bytes_max: Option<u64>,
    /// The compression that producers must use; `None`: any.
    pub compression: Option<Compression>,
    /// How the broker drops repeated records; `None`: it keeps them. A [`TopicWriter`](crate::writer::TopicWriter) refuses a
    /// topic with deduplication.
    pub deduplication: Option<Deduplication>,
}

impl TopicSettings {
    /// A topic with default settings.
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

    /// Sets the number of partitions.
    pub fn with_partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// The specification that the client sends to the cluster.
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
