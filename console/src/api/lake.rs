//! The Data page: layers of the lake, their files and rows, as they are.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use axum::Json;
use axum::extract::{Query, State};
use futures_util::TryStreamExt;
use lake::{DataFile, Lake, LakeFile};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::shared::Shared;

const FILES_SHOWN_MAX: usize = 200;
const ROWS_SHOWN_MAX: usize = 50;
/// Longer cells are cut.
const CELL_BYTES_MAX: usize = 8 << 10;

/// The names of the layers that the platform's stages write.
pub(crate) async fn layers(State(shared): State<Arc<Shared>>) -> Json<Vec<String>> {
    Json(shared.layers.clone())
}

#[derive(Deserialize)]
pub(crate) struct LayerQuery {
    layer: String,
    /// A file of the layer, for its rows.
    #[serde(default)]
    path: String,
}

impl LayerQuery {
    /// The layer asked for. Fails for a folder that is not one of the platform's layers.
    fn check(&self, shared: &Shared) -> Result<&str, ApiError> {
        if shared.layers.contains(&self.layer) {
            return Ok(&self.layer);
        }
        Err(ApiError::not_found(format!(
            "there is no layer {}: the layers are {}",
            self.layer,
            shared.layers.join(", ")
        )))
    }
}

/// A layer: its columns and its newest files.
#[derive(Debug, Serialize)]
pub(crate) struct Layer {
    name: String,
    files_total: usize,
    bytes_total: u64,
    /// Newest first, at most [`FILES_SHOWN_MAX`].
    files: Vec<File>,
    /// The columns of the newest file.
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

pub(crate) async fn layer(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<Layer>, ApiError> {
    let name = query.check(&shared)?;
    let lake = &shared.lake;
    let mut files = lake.files(name).await?;
    files.sort_by_key(|file| std::cmp::Reverse(file.modified_ms));
    let (files_total, bytes_total) = (files.len(), files.iter().map(|file| file.bytes).sum());
    let columns = match files.first() {
        Some(newest) => columns(lake, &newest.path).await?,
        None => Vec::new(),
    };
    files.truncate(FILES_SHOWN_MAX);
    Ok(Json(Layer {
        name: name.to_owned(),
        files_total,
        bytes_total,
        files: files.into_iter().map(Into::into).collect(),
        columns,
    }))
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

/// A column's type, in the words of Parquet tools.
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
    /// Every value as text, or null.
    rows: Vec<Vec<Option<String>>>,
}

/// Reads the first rows of a file.
pub(crate) async fn rows(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<LayerQuery>,
) -> Result<Json<Rows>, ApiError> {
    let layer = query.check(&shared)?;
    let (lake, path) = (&shared.lake, query.path.as_str());
    // Opens only files that the layer lists, whatever the path says.
    let files = lake.files(layer).await?;
    if !files.iter().any(|file| file.path == path) {
        return Err(ApiError::not_found(format!(
            "layer {layer} has no file {path}"
        )));
    }
    let builder = lake.rows(path).await?;
    let rows_total = builder.metadata().file_metadata().num_rows();
    let columns = builder.schema().fields().iter();
    let columns = columns.map(|field| field.name().clone()).collect();
    let rows = first_rows(builder)
        .await
        .map_err(|error| ApiError::upstream(format!("{path} cannot be read: {error}")))?;
    Ok(Json(Rows {
        path: path.to_owned(),
        rows_total,
        columns,
        rows,
    }))
}

/// The first rows as text.
async fn first_rows(
    builder: ParquetRecordBatchStreamBuilder<LakeFile>,
) -> Result<Vec<Vec<Option<String>>>, ParquetError> {
    let batches: Vec<_> = builder
        .with_batch_size(ROWS_SHOWN_MAX)
        .with_limit(ROWS_SHOWN_MAX)
        .build()?
        .try_collect()
        .await?;
    let mut rows = Vec::new();
    for batch in &batches {
        rows.append(&mut as_text(batch)?);
    }
    Ok(rows)
}

fn as_text(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter().map(printable);
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let formatters = columns.iter();
    let formatters = formatters
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let cell = |row: usize, column: usize| {
        let is_valid = columns[column].is_valid(row);
        is_valid.then(|| cut(formatters[column].value(row).to_string()))
    };
    let row = |row: usize| (0..columns.len()).map(|column| cell(row, column)).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}

/// Replaces a time zone's name by its offset: Arrow needs a time zone database to print a name.
fn printable(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            cast(column, &DataType::Timestamp(*unit, Some("+00:00".into())))
        }
        _ => Ok(ArrayRef::clone(column)),
    }
}

/// Cuts a long text.
fn cut(mut text: String) -> String {
    if text.len() > CELL_BYTES_MAX {
        let end = text.floor_char_boundary(CELL_BYTES_MAX);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{StringArray, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn cells_are_text_or_null_and_times_are_utc() {
        let times = TimestampMillisecondArray::from(vec![Some(0), None]).with_timezone("UTC");
        let long = "é".repeat(CELL_BYTES_MAX);
        let names = StringArray::from(vec![Some("bitcoin"), Some(&long)]);
        let columns: [(&str, ArrayRef); 2] = [("time", Arc::new(times)), ("name", Arc::new(names))];
        let rows = as_text(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        assert_eq!(rows[0][0].as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rows[0][1].as_deref(), Some("bitcoin"));
        assert_eq!(rows[1][0], None);
        let shown = rows[1][1].as_ref().unwrap();
        assert_eq!(shown.len(), CELL_BYTES_MAX + '…'.len_utf8());
    }
}
