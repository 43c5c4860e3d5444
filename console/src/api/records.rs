//! The Data page's records, as they are: from an offset or a time on, or the newest; by key and text.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::{LogRange, Record};
use connector_runtime::topic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::topics::Partition;
use crate::shared::Shared;

/// Records of a page.
const PAGE_LENGTH: usize = 50;
/// Records of a download, and their bytes.
const DOWNLOAD_MAX: usize = 10_000;
const DOWNLOAD_BYTES_MAX: usize = 64 << 20;
/// How many records a key or a text is looked for in, in each partition.
const SEARCH_MAX: i64 = 50_000;
const CHUNK: i64 = 5_000;
/// Longer values are cut on the page.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// Which records to show.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordsQuery {
    topic: String,
    /// Without it, all partitions, or the first one if `from` or `before` is given.
    partition: Option<u32>,
    /// From this offset on.
    from: Option<i64>,
    /// Those before this offset.
    before: Option<i64>,
    /// From this time on, in milliseconds since the epoch.
    at: Option<i64>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    text: String,
}

impl RecordsQuery {
    fn filter(&self) -> RecordFilter {
        RecordFilter::new(&self.key, &self.text)
    }
}

/// Which records of a topic are wanted.
#[derive(Debug, Clone)]
pub(crate) struct RecordFilter {
    /// The whole key; empty for any.
    key: String,
    /// Part of the value; empty for any.
    text: String,
}

impl RecordFilter {
    pub(crate) fn new(key: &str, text: &str) -> Self {
        Self {
            key: key.to_owned(),
            text: text.to_owned(),
        }
    }

    fn is_empty(&self) -> bool {
        self.key.is_empty() && self.text.is_empty()
    }

    pub(crate) fn wants(&self, record: &Record) -> bool {
        let is_of_key = self.key.is_empty() || record.key.as_deref() == Some(self.key.as_bytes());
        is_of_key
            && (self.text.is_empty() || String::from_utf8_lossy(&record.value).contains(&self.text))
    }
}

/// The answer to a [`RecordsQuery`].
#[derive(Debug, Serialize)]
pub(crate) struct Records {
    looked_at: Vec<LookedAt>,
    /// Newest last: by offset within one partition, by time across several.
    records: Vec<ShownRecord>,
}

/// Which part of a partition was read.
#[derive(Debug, Serialize)]
struct LookedAt {
    #[serde(flatten)]
    partition: Partition,
    from: i64,
    until: i64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ShownRecord {
    pub partition: u32,
    pub offset: i64,
    timestamp_ms: i64,
    key: Option<String>,
    /// The start of the value as text; bytes that are not UTF-8 become U+FFFD.
    value: String,
    /// Length of the whole value.
    bytes: usize,
}

impl ShownRecord {
    pub(crate) fn new(partition: u32, record: &Record) -> Self {
        let shown = &record.value[..record.value.len().min(VALUE_BYTES_MAX)];
        Self {
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: key_of(record),
            value: String::from_utf8_lossy(shown).into_owned(),
            bytes: record.value.len(),
        }
    }
}

fn key_of(record: &Record) -> Option<String> {
    let key = record.key.as_ref();
    key.map(|key| String::from_utf8_lossy(key).into_owned())
}

/// A page of records.
pub(crate) async fn records(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<RecordsQuery>,
) -> Result<Json<Records>, ApiError> {
    let (looked_at, records) = find(&shared, &query, PAGE_LENGTH).await?;
    let records = records.iter();
    Ok(Json(Records {
        looked_at,
        records: records
            .map(|(partition, record)| ShownRecord::new(*partition, record))
            .collect(),
    }))
}

/// The same records and more of them as a file: a JSON object a line.
pub(crate) async fn download(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<RecordsQuery>,
) -> Result<Response, ApiError> {
    let (_, records) = find(&shared, &query, DOWNLOAD_MAX).await?;
    let mut lines = String::new();
    for (partition, record) in &records {
        if lines.len() > DOWNLOAD_BYTES_MAX {
            break;
        }
        let text = String::from_utf8_lossy(&record.value);
        let value = serde_json::from_str::<Value>(&text).unwrap_or_else(|_| text.into());
        let line = json!({
            "partition": partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms,
            "key": key_of(record), "value": value,
        });
        lines += &line.to_string();
        lines.push('\n');
    }
    let plain = |char: &char| char.is_ascii_alphanumeric() || "-_.".contains(*char);
    let name: String = query.topic.chars().filter(plain).collect();
    let disposition = format!("attachment; filename=\"{name}.jsonl\"");
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, lines).into_response())
}

/// What a query asks for, at most `count` records.
async fn find(
    shared: &Shared,
    query: &RecordsQuery,
    count: usize,
) -> Result<(Vec<LookedAt>, Vec<(u32, Record)>), ApiError> {
    let client = shared.cluster.connect().await?;
    let topic = &query.topic;
    let has_offset = query.from.or(query.before).is_some();
    let partitions = match query.partition {
        Some(partition) => vec![partition],
        None if has_offset => vec![0],
        None => (0..topic::partition_count(&client, topic).await?).collect(),
    };
    let several = partitions.len() > 1;
    let (mut found, mut looked_at) = (Vec::new(), Vec::new());
    for partition in partitions {
        let log = reader::offsets(&client, topic, partition).await?;
        let search = Search {
            client: &client,
            topic,
            partition,
            log,
            filter: query.filter(),
            count,
        };
        let from = match (query.from, query.at) {
            (Some(from), _) => Some(from.clamp(log.start, log.end)),
            (None, Some(at)) => Some(search.offset_at(at).await?),
            (None, None) => None,
        };
        let before = query.before.unwrap_or(log.end).clamp(log.start, log.end);
        let (records, from, until) = match from {
            Some(from) => search.forwards(from).await?,
            None => search.backwards(before).await?,
        };
        found.extend(records.into_iter().map(|record| (partition, record)));
        looked_at.push(LookedAt {
            partition: Partition::new(partition, log),
            from,
            until,
        });
    }
    if several {
        found.sort_by_key(|(partition, record)| (record.timestamp_ms, *partition, record.offset));
        match query.at {
            Some(_) => found.truncate(count),
            None => drop(found.drain(..found.len().saturating_sub(count))),
        }
    }
    Ok((looked_at, found))
}

/// Looks for records in one partition, in chunks, to use little memory.
struct Search<'a> {
    client: &'a Client,
    topic: &'a str,
    partition: u32,
    log: LogRange,
    filter: RecordFilter,
    /// As many are enough.
    count: usize,
}

impl Search<'_> {
    async fn read(&self, from: i64, until: i64) -> Result<Vec<Record>, ApiError> {
        let mut records =
            reader::read_range(self.client, self.topic, self.partition, from..until).await?;
        records.retain(|record| self.filter.wants(record));
        Ok(records)
    }

    /// So many records may have to be read.
    fn reach(&self) -> i64 {
        match self.filter.is_empty() {
            true => self.count as i64,
            false => SEARCH_MAX,
        }
    }

    /// The first from an offset on, and what was read.
    async fn forwards(&self, from: i64) -> Result<(Vec<Record>, i64, i64), ApiError> {
        let end = self.log.end.min(from + self.reach());
        let (mut found, mut until) = (Vec::new(), from);
        while until < end && found.len() < self.count {
            let next = end.min(until + CHUNK);
            found.extend(self.read(until, next).await?);
            until = next;
        }
        if found.len() > self.count {
            found.truncate(self.count);
            until = found.last().map_or(until, |last: &Record| last.offset + 1);
        }
        Ok((found, from, until))
    }

    /// The last before an offset, and what was read.
    async fn backwards(&self, before: i64) -> Result<(Vec<Record>, i64, i64), ApiError> {
        let oldest = self.log.start.max(before - self.reach());
        let (mut found, mut from) = (Vec::new(), before);
        while from > oldest && found.len() < self.count {
            let next = oldest.max(from - CHUNK);
            let mut chunk = self.read(next, from).await?;
            chunk.append(&mut found);
            found = chunk;
            from = next;
        }
        if found.len() > self.count {
            found.drain(..found.len() - self.count);
            from = found.first().map_or(from, |first| first.offset);
        }
        Ok((found, from, before))
    }

    /// The first offset of a record that is not older than a time; times ascend along a partition.
    async fn offset_at(&self, at_ms: i64) -> Result<i64, ApiError> {
        let (mut low, mut high) = (self.log.start, self.log.end);
        while low < high {
            let middle = low + (high - low) / 2;
            let range = middle..middle + 1;
            let one = reader::read_range(self.client, self.topic, self.partition, range).await?;
            match one.first() {
                Some(record) if record.timestamp_ms < at_ms => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}
