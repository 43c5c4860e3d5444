//! The Data page's topics: what there is, how it is set up, and who reads it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use connector_runtime::cluster::{Client, consumer_offset};
use connector_runtime::reader;
use connector_runtime::record::LogRange;
use connector_runtime::topic;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::topic::TopicSpec;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::shared::Shared;

/// A topic of the list.
#[derive(Debug, Serialize)]
pub(crate) struct ListedTopic {
    name: String,
    partitions: u32,
    /// Records held, as the cluster has last heard.
    records: i64,
    /// `None` where the cluster does not know it.
    bytes: Option<u64>,
}

/// What the cluster has heard of a topic's partitions.
#[derive(Debug, Default)]
struct Heard {
    records: i64,
    bytes: Option<u64>,
}

/// Every topic of the cluster except Fluvio's own. It asks the cluster twice, however many topics there are.
pub(crate) async fn topics(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Vec<ListedTopic>>, ApiError> {
    let client = shared.cluster.connect().await?;
    let mut heard = heard(&client).await?;
    let all = client.admin().await.all::<TopicSpec>().await;
    let all = all.map_err(|error| unlisted(&error))?;
    let mut topics: Vec<_> = all
        .into_iter()
        .filter(|topic| !topic.spec.is_system())
        .map(|topic| {
            let Heard { records, bytes } = heard.remove(&topic.name).unwrap_or_default();
            ListedTopic {
                partitions: topic.spec.partitions(),
                name: topic.name,
                records,
                bytes,
            }
        })
        .collect();
    topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(topics))
}

/// By topic, what the cluster has heard of its partitions.
async fn heard(client: &Client) -> Result<HashMap<String, Heard>, ApiError> {
    let partitions = client.admin().await.all::<PartitionSpec>().await;
    let mut heard = HashMap::<String, Heard>::new();
    for partition in partitions.map_err(|error| unlisted(&error))? {
        // TOPIC-NUMBER
        let Some((topic, _)) = partition.name.rsplit_once('-') else {
            continue;
        };
        let of_topic = heard.entry(topic.to_owned()).or_default();
        let status = partition.status;
        of_topic.records += (status.leader.hw - status.base_offset).max(0);
        if let Ok(bytes) = u64::try_from(status.size) {
            *of_topic.bytes.get_or_insert(0) += bytes;
        }
    }
    Ok(heard)
}

fn unlisted(error: &anyhow::Error) -> ApiError {
    ApiError::upstream(format!("topics cannot be listed: {error:#}"))
}

#[derive(Debug, Deserialize)]
pub(crate) struct TopicQuery {
    topic: String,
}

/// A topic: what its partitions hold, how it is set up, and who reads it.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    name: String,
    partitions: Vec<Partition>,
    replication: Option<u32>,
    /// `None`: the cluster's default.
    retention_seconds: Option<u32>,
    partition_bytes_max: Option<u64>,
    segment_bytes: Option<u32>,
    compression: String,
    deduplication: bool,
    consumers: Vec<Consumer>,
}

/// The offsets that a partition holds.
#[derive(Debug, Serialize)]
pub(crate) struct Partition {
    number: u32,
    /// The oldest offset.
    start: i64,
    /// The offset of the next record.
    end: i64,
}

impl Partition {
    pub(crate) fn new(number: u32, log: LogRange) -> Self {
        Self {
            number,
            start: log.start,
            end: log.end,
        }
    }
}

/// How far a consumer is that lets the cluster know.
#[derive(Debug, Serialize)]
struct Consumer {
    name: String,
    partition: u32,
    /// The last record that it is done with.
    offset: i64,
    /// Records after that.
    behind: i64,
}

pub(crate) async fn topic(
    State(shared): State<Arc<Shared>>,
    Query(TopicQuery { topic: name }): Query<TopicQuery>,
) -> Result<Json<Topic>, ApiError> {
    let client = shared.cluster.connect().await?;
    let mut partitions = Vec::new();
    for number in 0..topic::partition_count(&client, &name).await? {
        let log = reader::offsets(&client, &name, number).await?;
        partitions.push(Partition::new(number, log));
    }
    let all = client.admin().await.all::<TopicSpec>().await;
    let all = all.map_err(|error| unlisted(&error))?;
    let spec = all.into_iter().find(|topic| topic.name == name);
    let spec = spec.ok_or_else(|| ApiError::not_found(format!("there is no topic {name}")))?;
    let spec = spec.spec;
    let stored = consumer_offset::of_topic(&client, &name).await;
    let stored = stored.map_err(|error| {
        ApiError::upstream(format!(
            "the cluster does not say who reads {name}: {error:#}"
        ))
    })?;
    let consumers = stored.into_iter().map(|stored| {
        let end = partitions
            .get(stored.partition as usize)
            .map_or(0, |partition| partition.end);
        Consumer {
            behind: (end - stored.offset - 1).max(0),
            name: stored.consumer_id,
            partition: stored.partition,
            offset: stored.offset,
        }
    });
    let mut consumers: Vec<_> = consumers.collect();
    consumers.sort_by(|a, b| (&a.name, a.partition).cmp(&(&b.name, b.partition)));
    let storage = spec.get_storage();
    Ok(Json(Topic {
        replication: spec.replicas().replication_factor(),
        retention_seconds: spec
            .get_clean_policy()
            .map(|policy| policy.retention_secs()),
        partition_bytes_max: storage.and_then(|storage| storage.max_partition_size),
        segment_bytes: storage.and_then(|storage| storage.segment_size),
        compression: spec.get_compression_type().to_string(),
        deduplication: spec.get_deduplication().is_some(),
        consumers,
        partitions,
        name,
    }))
}
