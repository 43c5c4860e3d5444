//! Browsing: records of topics, files and rows of layers, as they are.

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, LogRange, Record};
use connector_runtime::topic;
use fluvio::metadata::topic::TopicSpec;
use futures_util::TryStreamExt;
use lake::{DataFile, Lake};
use serde::{Deserialize, Serialize};

use crate::answer::{ApiError, not_found};

/// Records shown at once.
const RECORDS_MAX: i64 = 50;
/// How far back a key is looked for, in each partition.
const KEY_SEARCH_MAX: i64 = 50_000;
const KEY_SEARCH_STEP: i64 = 5_000;
/// Of a value, so much is shown.
const VALUE_BYTES_MAX: usize = 8 << 10;
const FILES_SHOWN_MAX: usize = 200;
const ROWS_SHOWN_MAX: usize = 50;

/// A topic and what its partitions hold.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    name: String,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    number: u32,
    start: i64,
    end: i64,
}

/// Every topic of the cluster that is not its own.
pub(crate) async fn topics(cluster: &Cluster) -> Result<Vec<Topic>, ApiError> {
    let client = cluster.connect().await?;
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
        for partition in 0..topic::partition_count(&client, &name).await? {
            let held = reader::offsets(&client, &name, partition).await?;
            partitions.push(Partition {
                number: partition,
                start: held.start,
                end: held.end,
            });
        }
        topics.push(Topic { name, partitions });
    }
    Ok(topics)
}

/// Which records to show.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordsQuery {
    topic: String,
    /// Without it all of them, or the first where an offset is named.
    partition: Option<u32>,
    /// From this offset on; without it the newest.
    from: Option<i64>,
    /// The newest of this key.
    key: Option<String>,
}

/// Records of one partition or of all, perhaps of one key.
#[derive(Debug, Serialize)]
pub(crate) struct Records {
    looked_at: Vec<LookedAt>,
    /// The newest last: by offset, those of several partitions by time.
    records: Vec<ShownRecord>,
}

#[derive(Debug, Serialize)]
struct LookedAt {
    #[serde(flatten)]
    partition: Partition,
    /// The oldest offset that was looked at.
    from: i64,
}

#[derive(Debug, Serialize)]
struct ShownRecord {
    partition: u32,
    offset: i64,
    timestamp_ms: i64,
    key: Option<String>,
    /// As text; bytes that are none become U+FFFD.
    value: String,
    /// Of the whole value.
    bytes: usize,
}

impl ShownRecord {
    fn of(partition: u32, record: Record) -> Self {
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

/// The records that a query asks for; the newest come last.
pub(crate) async fn records(cluster: &Cluster, query: RecordsQuery) -> Result<Records, ApiError> {
    let client = cluster.connect().await?;
    let RecordsQuery { topic, .. } = &query;
    let partitions = match (query.partition, query.from) {
        (Some(partition), _) => partition..partition + 1,
        (None, Some(_)) => 0..1,
        (None, None) => 0..topic::partition_count(&client, topic).await?,
    };
    let several = partitions.len() > 1;
    let (mut found, mut looked_at) = (Vec::new(), Vec::new());
    for partition in partitions {
        let held = reader::offsets(&client, topic, partition).await?;
        let (records, from) = match &query.key {
            Some(key) => newest_of_key(&client, topic, partition, key, held).await?,
            None => {
                let from = query.from.unwrap_or(held.end - RECORDS_MAX);
                let from = from.clamp(held.start, held.end);
                let until = held.end.min(from + RECORDS_MAX);
                let read = reader::read_range(&client, topic, partition, from..until);
                (read.await?, from)
            }
        };
        let records = records.into_iter();
        found.extend(records.map(|record| ShownRecord::of(partition, record)));
        looked_at.push(LookedAt {
            partition: Partition {
                number: partition,
                start: held.start,
                end: held.end,
            },
            from,
        });
    }
    if several {
        found.sort_by_key(|record| (record.timestamp_ms, record.partition, record.offset));
        found.drain(..found.len().saturating_sub(RECORDS_MAX as usize));
    }
    Ok(Records {
        looked_at,
        records: found,
    })
}

/// Looks from the end backwards, step by step, so that a search needs little memory.
async fn newest_of_key(
    client: &Client,
    topic: &str,
    partition: u32,
    key: &str,
    held: LogRange,
) -> Result<(Vec<Record>, i64), ApiError> {
    let oldest = held.start.max(held.end - KEY_SEARCH_MAX);
    let mut until = held.end;
    let mut found = Vec::new();
    while until > oldest && (found.len() as i64) < RECORDS_MAX {
        let from = oldest.max(until - KEY_SEARCH_STEP);
        let mut step = reader::read_range(client, topic, partition, from..until).await?;
        step.retain(|record| record.key.as_deref() == Some(key.as_bytes()));
        step.append(&mut found);
        found = step;
        until = from;
    }
    let surplus = found.len().saturating_sub(RECORDS_MAX as usize);
    Ok((found.split_off(surplus), until))
}

/// A layer: its columns and its newest files.
#[derive(Debug, Serialize)]
pub(crate) struct Layer {
    name: String,
    files_total: usize,
    bytes_total: u64,
    /// The newest first.
    files: Vec<File>,
    /// Those of the newest file.
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    date: Option<String>,
    topic: String,
    partition: u32,
    first_offset: i64,
    bytes: u64,
    modified_ms: i64,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    nullable: bool,
}

impl From<DataFile> for File {
    fn from(file: DataFile) -> Self {
        Self {
            date: file.date().map(ToOwned::to_owned),
            path: file.path,
            topic: file.name.topic,
            partition: file.name.partition,
            first_offset: file.name.offset,
            bytes: file.bytes,
            modified_ms: file.modified_ms,
        }
    }
}

/// What a layer consists of.
pub(crate) async fn layer(lake: &Lake, name: &str) -> Result<Layer, ApiError> {
    let mut files = lake.files(name).await?;
    files.sort_by_key(|file| std::cmp::Reverse(file.modified_ms));
    let (files_total, bytes_total) = (files.len(), files.iter().map(|file| file.bytes).sum());
    let columns = match files.first() {
        Some(newest) => columns(lake, &newest.path).await?,
        None => Vec::new(),
    };
    files.truncate(FILES_SHOWN_MAX);
    Ok(Layer {
        name: name.to_owned(),
        files_total,
        bytes_total,
        files: files.into_iter().map(Into::into).collect(),
        columns,
    })
}

async fn columns(lake: &Lake, path: &str) -> Result<Vec<Column>, ApiError> {
    let rows = lake.rows(path).await?;
    let fields = rows.schema().fields().iter();
    Ok(fields
        .map(|field| Column {
            name: field.name().clone(),
            kind: kind(field.data_type()),
            nullable: field.is_nullable(),
        })
        .collect())
}

/// A type as people who read Parquet write it.
fn kind(data_type: &DataType) -> String {
    match data_type {
        DataType::Timestamp(_, Some(_)) => "timestamp[ms, UTC]".to_owned(),
        DataType::Utf8 => "string".to_owned(),
        DataType::List(_) => "list of strings".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// The first rows of a file.
#[derive(Debug, Serialize)]
pub(crate) struct Rows {
    path: String,
    rows_total: i64,
    columns: Vec<String>,
    /// Every value as text; null where there is none.
    rows: Vec<Vec<Option<String>>>,
}

/// Reads the first rows of a file of a layer.
pub(crate) async fn rows(lake: &Lake, layer: &str, path: &str) -> Result<Rows, ApiError> {
    // Only what the layer lists is opened, whatever the path says.
    let files = lake.files(layer).await?;
    if !files.iter().any(|file| file.path == path) {
        return Err(not_found(format!("layer {layer} has no file {path}")));
    }
    let builder = lake.rows(path).await?;
    let rows_total = builder.metadata().file_metadata().num_rows();
    let columns = builder.schema().fields().iter();
    let columns = columns.map(|field| field.name().clone()).collect();
    let unreadable = |error: &dyn std::fmt::Display| {
        ApiError::upstream(format!("{path} cannot be read: {error}"))
    };
    let batches: Vec<_> = builder
        .with_batch_size(ROWS_SHOWN_MAX)
        .with_limit(ROWS_SHOWN_MAX)
        .build()
        .map_err(|error| unreadable(&error))?
        .try_collect()
        .await
        .map_err(|error| unreadable(&error))?;
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter().map(printable);
        let columns = columns
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&error))?;
        let formatters = columns
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&error))?;
        for row in 0..batch.num_rows() {
            let cells = formatters.iter().zip(&columns);
            rows.push(
                cells
                    .map(|(text, column)| column.is_valid(row).then(|| text.value(row).to_string()))
                    .map(|cell| cell.map(cut))
                    .collect(),
            );
        }
    }
    Ok(Rows {
        path: path.to_owned(),
        rows_total,
        columns,
        rows,
    })
}

/// Times with an offset in place of the zone's name, which arrow only prints with a database of zones.
fn printable(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

/// A text, not too long to be shown.
fn cut(mut text: String) -> String {
    if text.len() > VALUE_BYTES_MAX {
        let end = text.floor_char_boundary(VALUE_BYTES_MAX);
        text.truncate(end);
        text.push('…');
    }
    text
}
