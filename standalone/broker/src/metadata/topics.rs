//! Topics and their partitions: made, opened, grown, deleted.
//!
//! The store says which topics there are; a topic's log lies in `logs/<name>.<id>/<partition>/`, and an id is never given
//! twice, so what a deletion left behind cannot be mistaken for the log of a new topic of the same name.
//! Order of a creation: store, files, watchers told, answer. Order of a deletion: store, watchers told, readers ended,
//! files, answer. A broker that dies in between makes the files, or removes them, when it starts again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fluvio_compression::Compression;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::partition::{
    PartitionResolution, PartitionSpec, PartitionStatus, ReplicaStatus,
};
use fluvio_sc_schema::shared::validate_resource_name;
use fluvio_sc_schema::topic::{
    CleanupPolicy, CompressionAlgorithm, ReplicaSpec, SegmentBasedPolicy, TopicResolution,
    TopicSpec, TopicStatus,
};
use fluvio_types::defaults::{
    CONSUMER_STORAGE_TOPIC, SPU_LOG_SEGMENT_MAX_BYTES, SPU_PARTITION_MAX_BYTES,
    STORAGE_MAX_BATCH_SIZE,
};

use super::{Registry, SPU_ID};
use crate::error::BrokerError;
use crate::log::{self, Partition, PartitionConfig};
use crate::metadata::store::{Specs, Store};

/// More partitions than this in one topic are refused.
const PARTITIONS_MAX: u32 = 1024;

/// What is stored of a topic.
#[derive(Debug, Clone, Default, Encoder, Decoder)]
pub(super) struct TopicRow {
    /// Tells topics of the same name apart.
    pub id: u64,
    /// What the client asked for.
    pub spec: TopicSpec,
}

/// A topic that can be written and read.
#[derive(Debug)]
pub(crate) struct Topic {
    name: String,
    row: TopicRow,
    partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// What the client asked for.
    pub(crate) fn spec(&self) -> &TopicSpec {
        &self.row.spec
    }

    /// The partitions, by index.
    pub(crate) fn partitions(&self) -> &[Arc<Partition>] {
        &self.partitions
    }

    fn object(&self) -> Metadata<TopicSpec> {
        let replicas = self.partitions.iter().map(|_| vec![SPU_ID]).collect();
        Metadata {
            name: self.name.clone(),
            spec: self.row.spec.clone(),
            status: TopicStatus::new(TopicResolution::Provisioned, replicas, String::new()),
        }
    }

    /// The partitions as clients see them, as they are now.
    pub(crate) fn partition_objects(&self) -> impl Iterator<Item = Metadata<PartitionSpec>> {
        self.partitions
            .iter()
            .enumerate()
            .map(|(index, partition)| {
                let end = partition.end_offset();
                let status = PartitionStatus::new2(
                    ReplicaStatus::new(SPU_ID, end, end),
                    Vec::new(),
                    i64::try_from(partition.bytes()).unwrap_or(i64::MAX),
                    PartitionResolution::Online,
                    partition.start_offset(),
                );
                Metadata {
                    name: format!("{}-{index}", self.name),
                    spec: PartitionSpec::from_replicas(vec![SPU_ID], &self.row.spec, None),
                    status,
                }
            })
    }
}

/// Why a topic was not made, changed or deleted: what the client is told.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct TopicError {
    /// The protocol's code.
    pub code: ErrorCode,
    /// What is wrong and what would be right.
    pub message: String,
}

impl TopicError {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn storage(error: &dyn std::error::Error) -> Self {
        Self::new(ErrorCode::StorageError, error.to_string())
    }
}

/// All topics.
#[derive(Debug)]
pub(crate) struct Topics {
    logs_dir: PathBuf,
    store: Arc<Store>,
    by_name: RwLock<HashMap<String, Arc<Topic>>>,
    /// Topics as clients see them.
    pub objects: Registry<TopicSpec>,
    /// Partitions as clients see them, as they were when their topic was made.
    pub partition_objects: Registry<PartitionSpec>,
    /// Held while a topic is made, changed or deleted; the id the next one gets.
    next_id: tokio::sync::Mutex<u64>,
}

impl Topics {
    /// Opens every topic's log, removes what deletions left behind, and makes the system topic if it isn't there. Topics
    /// that `retention` names get theirs.
    pub(crate) async fn open(
        logs_dir: PathBuf,
        store: Arc<Store>,
        retention: &HashMap<String, Duration>,
    ) -> Result<Self, BrokerError> {
        log::create_dir_all(&logs_dir).map_err(|source| BrokerError::log(&logs_dir, source))?;
        let store_failed = |source| BrokerError::store(store.path(), source);
        let rows = store
            .specs::<TopicRow>(Specs::Topics, "topic")
            .map_err(store_failed)?;
        let mut next_id = remove_leftovers(&logs_dir, &rows)
            .map_err(|source| BrokerError::log(&logs_dir, source))?;
        let mut by_name = HashMap::new();
        for (name, mut row) in rows {
            next_id = next_id.max(row.id + 1);
            if let Some(retention) = retention.get(&name)
                && set_retention(&mut row.spec, *retention)
            {
                let put = store.put_spec(Specs::Topics, &name, &row);
                put.await.map_err(store_failed)?;
            }
            let dir = topic_dir(&logs_dir, &name, row.id);
            let topic = open_topic(&logs_dir, name.clone(), row)
                .map_err(|source| BrokerError::log(&dir, source))?;
            by_name.insert(name, Arc::new(topic));
        }
        let topics = Self {
            logs_dir,
            store,
            by_name: RwLock::new(HashMap::new()),
            objects: Registry::new(),
            partition_objects: Registry::new(),
            next_id: tokio::sync::Mutex::new(next_id),
        };
        topics
            .partition_objects
            .put(by_name.values().flat_map(|topic| topic.partition_objects()));
        topics
            .objects
            .put(by_name.values().map(|topic| topic.object()));
        *topics
            .by_name
            .write()
            .unwrap_or_else(PoisonError::into_inner) = by_name;
        if topics.get(CONSUMER_STORAGE_TOPIC).is_none() {
            // The client waits a minute for its first topic where there is none, and asks here for consumer offsets.
            let mut spec = TopicSpec::new_computed(1, 1, None);
            spec.set_system(true);
            topics
                .make(CONSUMER_STORAGE_TOPIC, spec)
                .await
                .map_err(|error| {
                    BrokerError::log(&topics.logs_dir, io::Error::other(error.message))
                })?;
        }
        Ok(topics)
    }

    /// The topic of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().get(name).cloned()
    }

    /// All topics, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        self.read().values().cloned().collect()
    }

    /// The log of one partition.
    pub(crate) fn partition(
        &self,
        topic: &str,
        partition: u32,
    ) -> Result<Arc<Partition>, ErrorCode> {
        let topic = self.get(topic).ok_or(ErrorCode::TopicNotFound)?;
        let partition = topic.partitions.get(partition as usize);
        partition.cloned().ok_or(ErrorCode::NotLeaderForPartition)
    }

    /// Makes a topic; when it returns, every client that watches has been told.
    pub(crate) async fn create(
        &self,
        name: &str,
        spec: TopicSpec,
        dry_run: bool,
    ) -> Result<(), TopicError> {
        validate(name, &spec)?;
        if dry_run {
            return match self.get(name) {
                Some(_) => Err(already_exists(name)),
                None => Ok(()),
            };
        }
        // Where it exists this waits until it is listed, too: whoever is refused looks it up there.
        self.make(name, spec).await?;
        self.objects.settled().await;
        Ok(())
    }

    /// Adds partitions to a topic.
    pub(crate) async fn add_partitions(&self, name: &str, count: u32) -> Result<(), TopicError> {
        let _changing = self.next_id.lock().await;
        let topic = self.get(name).ok_or_else(|| not_found(name))?;
        if topic.spec().is_system() {
            let code = ErrorCode::SystemSpecUpdatingAttempt {
                kind: "topic".into(),
                name: name.into(),
            };
            return Err(TopicError::new(
                code,
                format!("topic '{name}' belongs to the system"),
            ));
        }
        let ReplicaSpec::Computed(mut replicas) = topic.spec().replicas().clone() else {
            let message = "partitions can be added to a topic with computed replicas only";
            return Err(TopicError::new(ErrorCode::TopicInvalidReplicaType, message));
        };
        replicas.partitions = replicas.partitions.saturating_add(count);
        let mut row = topic.row.clone();
        row.spec.set_replicas(ReplicaSpec::Computed(replicas));
        validate(name, &row.spec)?;
        self.store
            .put_spec(Specs::Topics, name, &row)
            .await
            .map_err(|error| TopicError::storage(&error))?;
        let mut partitions = topic.partitions.clone();
        for index in partitions.len() as u32..row.spec.partitions() {
            let partition = open_partition(&self.logs_dir, name, &row, index);
            partitions.push(Arc::new(
                partition.map_err(|error| TopicError::storage(&error))?,
            ));
        }
        self.publish(Topic {
            name: name.into(),
            row,
            partitions,
        });
        self.partition_objects.settled().await;
        self.objects.settled().await;
        Ok(())
    }

    /// Deletes a topic and its log; ends those who read it.
    pub(crate) async fn delete(&self, name: &str, force: bool) -> Result<(), TopicError> {
        let _changing = self.next_id.lock().await;
        let topic = self.get(name).ok_or_else(|| not_found(name))?;
        if topic.spec().is_system() {
            let code = ErrorCode::SystemSpecDeletionAttempt {
                kind: "topic".into(),
                name: name.into(),
            };
            let hint = if force {
                "the broker needs it"
            } else {
                "it belongs to the system"
            };
            return Err(TopicError::new(
                code,
                format!("topic '{name}' cannot be deleted: {hint}"),
            ));
        }
        self.store
            .remove_spec(Specs::Topics, name)
            .await
            .map_err(|error| TopicError::storage(&error))?;
        self.by_name
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        let partitions: Vec<_> = (0..topic.partitions.len())
            .map(|index| format!("{name}-{index}"))
            .collect();
        self.objects.remove([name]);
        self.partition_objects
            .remove(partitions.iter().map(String::as_str));
        for partition in &topic.partitions {
            partition.delete();
        }
        let dir = topic_dir(&self.logs_dir, name, topic.row.id);
        if let Err(error) = tokio::fs::remove_dir_all(&dir).await {
            tracing::warn!(dir = %dir.display(), "the log of a deleted topic is left until the next start: {error}");
        }
        self.partition_objects.settled().await;
        self.objects.settled().await;
        Ok(())
    }

    async fn make(&self, name: &str, spec: TopicSpec) -> Result<(), TopicError> {
        let mut next_id = self.next_id.lock().await;
        if self.get(name).is_some() {
            return Err(already_exists(name));
        }
        let row = TopicRow { id: *next_id, spec };
        *next_id += 1;
        self.store
            .put_spec(Specs::Topics, name, &row)
            .await
            .map_err(|error| TopicError::storage(&error))?;
        let topic = match open_topic(&self.logs_dir, name.to_owned(), row) {
            Ok(topic) => topic,
            Err(error) => {
                let _ = self.store.remove_spec(Specs::Topics, name).await;
                return Err(TopicError::storage(&error));
            }
        };
        self.publish(topic);
        Ok(())
    }

    /// Makes a topic usable, then visible: its partitions first.
    fn publish(&self, topic: Topic) {
        let topic = Arc::new(topic);
        self.by_name
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic.name.clone(), topic.clone());
        self.partition_objects.put(topic.partition_objects());
        self.objects.put([topic.object()]);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Arc<Topic>>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn already_exists(name: &str) -> TopicError {
    TopicError::new(
        ErrorCode::TopicAlreadyExists,
        format!("topic '{name}' already exists"),
    )
}

fn not_found(name: &str) -> TopicError {
    TopicError::new(
        ErrorCode::TopicNotFound,
        format!("topic '{name}' not found"),
    )
}

/// What this broker can do for a topic; the message says what it can't.
fn validate(name: &str, spec: &TopicSpec) -> Result<(), TopicError> {
    let invalid = |message: String| {
        Err(TopicError::new(
            ErrorCode::TopicInvalidConfiguration,
            message,
        ))
    };
    if name.is_empty() {
        return Err(TopicError::new(
            ErrorCode::TopicInvalidName,
            "the topic name is empty",
        ));
    }
    if let Err(error) = validate_resource_name(name) {
        let message = format!("Invalid topic name: '{name}'. {error}");
        return Err(TopicError::new(ErrorCode::TopicInvalidName, message));
    }
    if let Some(error) = spec.validate_config() {
        return invalid(error);
    }
    if spec.get_deduplication().is_some() {
        return invalid(
            "this broker does not deduplicate; create the topic on a Fluvio cluster".into(),
        );
    }
    match spec.replicas() {
        ReplicaSpec::Computed(replicas) if replicas.replication_factor > 1 => {
            return invalid(format!(
                "replication {} needs as many SPUs; this broker is one: use 1",
                replicas.replication_factor
            ));
        }
        ReplicaSpec::Computed(_) => {}
        ReplicaSpec::Assigned(maps) => {
            if let Err(error) = maps.validate() {
                return invalid(error.to_string());
            }
            if maps.maps().iter().any(|map| map.replicas != [SPU_ID]) {
                return invalid(format!(
                    "the only SPU is {SPU_ID}; assign every partition to it alone"
                ));
            }
        }
        ReplicaSpec::Mirror(_) => {
            return invalid("this broker does not mirror topics; use a Fluvio cluster".into());
        }
    }
    match spec.partitions() {
        0 => invalid("a topic has at least one partition".into()),
        partitions if partitions > PARTITIONS_MAX => invalid(format!(
            "{partitions} partitions are more than the {PARTITIONS_MAX} this broker takes"
        )),
        _ => Ok(()),
    }
}

fn partition_config(spec: &TopicSpec) -> PartitionConfig {
    let storage = spec.get_storage();
    let segment_size = storage
        .and_then(|storage| storage.segment_size)
        .unwrap_or(SPU_LOG_SEGMENT_MAX_BYTES);
    let partition_size = storage
        .and_then(|storage| storage.max_partition_size)
        .unwrap_or(SPU_PARTITION_MAX_BYTES);
    PartitionConfig {
        segment_bytes_max: u64::from(segment_size),
        batch_bytes_max: STORAGE_MAX_BATCH_SIZE as usize,
        partition_bytes_max: partition_size,
        retention: Duration::from_secs(u64::from(spec.retention_secs())),
        compression: match spec.get_compression_type() {
            CompressionAlgorithm::Any => None,
            CompressionAlgorithm::None => Some(Compression::None),
            CompressionAlgorithm::Gzip => Some(Compression::Gzip),
            CompressionAlgorithm::Snappy => Some(Compression::Snappy),
            CompressionAlgorithm::Lz4 => Some(Compression::Lz4),
            CompressionAlgorithm::Zstd => Some(Compression::Zstd),
        },
    }
}

/// Whether the retention was another one.
fn set_retention(spec: &mut TopicSpec, retention: Duration) -> bool {
    let secs = u32::try_from(retention.as_secs()).unwrap_or(u32::MAX);
    if spec.is_system() || spec.retention_secs() == secs {
        return false;
    }
    spec.set_cleanup_policy(CleanupPolicy::Segment(SegmentBasedPolicy {
        time_in_seconds: secs,
    }));
    true
}

fn topic_dir(logs_dir: &Path, name: &str, id: u64) -> PathBuf {
    logs_dir.join(format!("{name}.{id}"))
}

fn open_topic(logs_dir: &Path, name: String, row: TopicRow) -> io::Result<Topic> {
    let partitions = (0..row.spec.partitions())
        .map(|index| open_partition(logs_dir, &name, &row, index).map(Arc::new))
        .collect::<io::Result<_>>()?;
    Ok(Topic {
        name,
        row,
        partitions,
    })
}

fn open_partition(
    logs_dir: &Path,
    name: &str,
    row: &TopicRow,
    index: u32,
) -> io::Result<Partition> {
    let dir = topic_dir(logs_dir, name, row.id).join(index.to_string());
    Partition::open(dir, partition_config(&row.spec))
}

/// Removes logs that belong to no topic. Returns an id above all that could not be removed.
fn remove_leftovers(logs_dir: &Path, rows: &[(String, TopicRow)]) -> io::Result<u64> {
    let mut next_id = 1;
    for entry in std::fs::read_dir(logs_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((topic, id)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let Ok(id) = id.parse::<u64>() else { continue };
        if rows.iter().any(|(name, row)| name == topic && row.id == id) {
            continue;
        }
        let dir = entry.path();
        match std::fs::remove_dir_all(&dir) {
            Ok(()) => {
                tracing::warn!(dir = %dir.display(), "removed a log that no topic has: its topic was deleted");
            }
            Err(error) => {
                tracing::warn!(dir = %dir.display(), "cannot remove the log of a deleted topic: {error}");
                next_id = next_id.max(id + 1);
            }
        }
    }
    Ok(next_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two that create a topic at once one is refused, and looks it up.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_topic_that_exists_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("meta.redb")).unwrap());
        let topics = Topics::open(folder.path().join("logs"), store, &HashMap::new()).await;
        let topics = Arc::new(topics.unwrap());
        for number in 0..50 {
            let name = format!("topic{number}");
            let create = || {
                let (topics, name) = (topics.clone(), name.clone());
                tokio::spawn(async move {
                    let spec = TopicSpec::new_computed(1, 1, None);
                    let created = topics.create(&name, spec, false).await.is_ok();
                    assert!(topics.objects.get(&name).is_some(), "{name} is not listed");
                    created
                })
            };
            let (one, other) = (create(), create());
            assert_ne!(one.await.unwrap(), other.await.unwrap());
        }
    }
}
