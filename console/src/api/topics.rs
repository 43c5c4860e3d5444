//! The Data page: topics and their records, as they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::{LogRange, Record};
use connector_runtime::topic;
use fluvio::metadata::topic::TopicSpec;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::shared::Shared;

/// Records in one answer.
const RECORDS_MAX: i64 = 50;
/// How far back a key is looked for, in each partition.
const KEY_SEARCH_MAX: i64 = 50_000;
const KEY_SEARCH_CHUNK: i64 = 5_000;
/// Longer values are cut.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// A topic and what its partitions hold.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    name: String,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    number: u32,
    /// The oldest offset.
    start: i64,
    /// The offset of the next record.
    end: i64,
}

impl Partition {
    fn new(number: u32, log: LogRange) -> Self {
        Self {
            number,
            start: log.start,
            end: log.end,
        }
    }
}

/// Every topic of the cluster except Fluvio's own.
pub(crate) async fn topics(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Vec<Topic>>, ApiError> {
    let client = shared.cluster.connect().await?;
    let all = client.admin().await.all::<TopicSpec>().await;
    let all =
        all.map_err(|error| ApiError::upstream(format!("topics cannot be listed: {error:#}")))?;
    let mut names: Vec<_> = all
        .into_iter()
        .filter(|topic| !topic.spec.is_system())
        .map(|topic| topic.name)
        .collect();
    names.sort_unstable();
    let mut topics = Vec::new();
    for name in names {
        let mut partitions = Vec::new();
        for number in 0..topic::partition_count(&client, &name).await? {
            let log = reader::offsets(&client, &name, number).await?;
            partitions.push(Partition::new(number, log));
        }
        topics.push(Topic { name, partitions });
    }
    Ok(Json(topics))
}

/// Which records to show.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordsQuery {
    topic: String,
    /// Without it, all partitions, or the first one if `from` is given.
    partition: Option<u32>,
    /// The first offset to show; without it, the newest records.
    from: Option<i64>,
    /// Show only the newest records with this key.
    key: Option<String>,
}

/// The answer to a [`RecordsQuery`].
#[derive(Debug, Serialize)]
pub(crate) struct Records {
    looked_at: Vec<LookedAt>,
    /// Newest last: by offset within one partition, by time across several.
    records: Vec<ShownRecord>,
}

#[derive(Debug, Serialize)]
struct LookedAt {
    #[serde(flatten)]
    partition: Partition,
    /// The oldest offset that was read.
    from: i64,
}

#[derive(Debug, Serialize)]
struct ShownRecord {
    partition: u32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<String>,
    /// The start of the value as text; bytes that are not UTF-8 become U+FFFD.
    value: String,
    /// Length of the whole value.
    bytes: usize,
}

impl ShownRecord {
    fn new(partition: u32, record: Record) -> Self {
        let shown = &record.value[..record.value.len().min(VALUE_BYTES_MAX)];
        Self {
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record
                .key
                .map(|key| String::from_utf8_lossy(&key).into_owned()),
            value: String::from_utf8_lossy(shown).into_owned(),
            bytes: record.value.len(),
        }
    }
}

/// The records that a query asks for.
pub(crate) async fn records(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<RecordsQuery>,
) -> Result<Json<Records>, ApiError> {
    let client = shared.cluster.connect().await?;
    let RecordsQuery { topic, .. } = &query;
    let partitions = match (query.partition, query.from) {
        (Some(partition), _) => partition..partition + 1,
        (None, Some(_)) => 0..1,
        (None, None) => 0..topic::partition_count(&client, topic).await?,
    };
    let several = partitions.len() > 1;
    let (mut found, mut looked_at) = (Vec::new(), Vec::new());
    for partition in partitions {
        let log = reader::offsets(&client, topic, partition).await?;
        let (records, from) = match &query.key {
            Some(key) => newest_of_key(&client, topic, partition, key, log).await?,
            None => {
                let from = query.from.unwrap_or(log.end - RECORDS_MAX);
                let from = from.clamp(log.start, log.end);
                let until = log.end.min(from + RECORDS_MAX);
                let read = reader::read_range(&client, topic, partition, from..until);
                (read.await?, from)
            }
        };
        let records = records.into_iter();
        found.extend(records.map(|record| ShownRecord::new(partition, record)));
        looked_at.push(LookedAt {
            partition: Partition::new(partition, log),
            from,
        });
    }
    if several {
        found.sort_by_key(|record| (record.timestamp_ms, record.partition, record.offset));
        found.drain(..found.len().saturating_sub(RECORDS_MAX as usize));
    }
    Ok(Json(Records {
        looked_at,
        records: found,
    }))
}

/// The newest records with this key, and the offset down to which it looked. Reads backwards in chunks, to use little memory.
async fn newest_of_key(
    client: &Client,
    topic: &str,
    partition: u32,
    key: &str,
    log: LogRange,
) -> Result<(Vec<Record>, i64), ApiError> {
    let oldest = log.start.max(log.end - KEY_SEARCH_MAX);
    let mut until = log.end;
    let mut found = Vec::new();
    while until > oldest && (found.len() as i64) < RECORDS_MAX {
        let from = oldest.max(until - KEY_SEARCH_CHUNK);
        let mut chunk = reader::read_range(client, topic, partition, from..until).await?;
        chunk.retain(|record| record.key.as_deref() == Some(key.as_bytes()));
        chunk.append(&mut found);
        found = chunk;
        until = from;
    }
    let surplus = found.len().saturating_sub(RECORDS_MAX as usize);
    Ok((found.split_off(surplus), until))
}
