//! The rows of a file of the lake, as they are: a page of them, in the file's order or sorted by a column.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use arrow_select::concat::concat;
use axum::Json;
use axum::extract::{Query, State};
use futures_util::TryStreamExt;
use lake::{Lake, LakeFile};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::api::lake::checked;
use crate::shared::Shared;

const ROWS_SHOWN_MAX: usize = 50;
/// Longer cells are cut.
const CELL_BYTES_MAX: usize = 8 << 10;
/// A column that is sorted is in memory.
const SORTED_BYTES_MAX: i64 = 256 << 20;

/// Which rows to show.
#[derive(Debug, Deserialize)]
pub(crate) struct RowsQuery {
    layer: String,
    path: String,
    /// Rows before the first.
    #[serde(default)]
    skip: usize,
    /// A column; empty for the order of the file.
    #[serde(default)]
    sort: String,
    #[serde(default)]
    descending: bool,
}

/// Some rows of a file.
#[derive(Debug, Serialize)]
pub(crate) struct Rows {
    path: String,
    rows_total: i64,
    columns: Vec<String>,
    /// Every value as text, or null.
    rows: Vec<Vec<Option<String>>>,
}

/// Reads some rows of a file.
pub(crate) async fn rows(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<RowsQuery>,
) -> Result<Json<Rows>, ApiError> {
    let layer = checked(&query.layer, &shared)?;
    let (lake, path) = (shared.tables.lake(), query.path.as_str());
    // Opens only files that the layer lists, whatever the path says.
    let snapshot = shared.tables.snapshot(layer).await?;
    let has_file = snapshot.is_some_and(|snapshot| {
        let mut files = snapshot.files().iter();
        files.any(|file| file.path == path)
    });
    if !has_file {
        return Err(ApiError::not_found(format!(
            "table {layer} has no file {path}"
        )));
    }
    let builder = lake.rows(path).await?;
    let rows_total = builder.metadata().file_metadata().num_rows();
    let columns = builder.schema().fields().iter();
    let columns: Vec<_> = columns.map(|field| field.name().clone()).collect();
    let unreadable =
        |error: ParquetError| ApiError::upstream(format!("{path} cannot be read: {error}"));
    let rows = match query.sort.is_empty() {
        true => {
            let page = builder.with_offset(query.skip).with_limit(ROWS_SHOWN_MAX);
            as_texts(page).await.map_err(unreadable)?
        }
        false if !columns.contains(&query.sort) => {
            let sort = &query.sort;
            return Err(ApiError::not_found(format!(
                "table {layer} has no column {sort}"
            )));
        }
        false => {
            let places = sorted(lake, &query).await?;
            at_places(builder, &places).await.map_err(unreadable)?
        }
    };
    Ok(Json(Rows {
        path: path.to_owned(),
        rows_total,
        columns,
        rows,
    }))
}

/// Where the rows of a page are in the file, by the order that was asked for. Reads one column.
async fn sorted(lake: &Lake, query: &RowsQuery) -> Result<Vec<usize>, ApiError> {
    let RowsQuery { path, sort, .. } = query;
    let builder = lake.rows(path).await?;
    let groups = builder.metadata().row_groups().iter();
    let chunks = groups.flat_map(|group| group.columns());
    let of_column = chunks.filter(|chunk| chunk.column_path().parts().first() == Some(sort));
    let bytes: i64 = of_column.map(|chunk| chunk.uncompressed_size()).sum();
    if bytes > SORTED_BYTES_MAX {
        return Err(ApiError::bad_request(format!(
            "column {sort} of this file is too large to be sorted here: query the table with DuckDB, Polars or Spark"
        )));
    }
    let read = async {
        let column = ProjectionMask::columns(builder.parquet_schema(), [sort.as_str()]);
        let batches: Vec<_> = builder
            .with_projection(column)
            .build()?
            .try_collect()
            .await?;
        let parts: Vec<&dyn Array> = batches
            .iter()
            .map(|batch| batch.column(0).as_ref())
            .collect();
        let options = SortOptions {
            descending: query.descending,
            nulls_first: false,
        };
        let count = query.skip.saturating_add(ROWS_SHOWN_MAX);
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let values = concat(&parts)?;
        // Equal rows stay in the order of the file: otherwise every page would have an order of its own.
        let numbers = UInt64Array::from_iter_values(0..values.len() as u64);
        let by = [
            SortColumn {
                values,
                options: Some(options),
            },
            SortColumn {
                values: Arc::new(numbers),
                options: None,
            },
        ];
        let places = lexsort_to_indices(&by, Some(count))?;
        let page = places.values().iter().skip(query.skip);
        Ok::<_, ParquetError>(page.map(|place| *place as usize).collect())
    };
    let read = read.await;
    read.map_err(|error| {
        ApiError::bad_request(format!("the rows cannot be sorted by {sort}: {error}"))
    })
}

/// The rows at these places, in their order.
async fn at_places(
    builder: ParquetRecordBatchStreamBuilder<LakeFile>,
    places: &[usize],
) -> Result<Vec<Vec<Option<String>>>, ParquetError> {
    let mut ascending: Vec<usize> = places.to_vec();
    ascending.sort_unstable();
    let total = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let ranges = ascending.iter().map(|place| *place..place + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, total);
    let rows = as_texts(builder.with_row_selection(selection)).await?;
    let row_at = |place: &usize| {
        let index = ascending.binary_search(place).ok()?;
        rows.get(index).cloned()
    };
    Ok(places.iter().filter_map(row_at).collect())
}

async fn as_texts(
    builder: ParquetRecordBatchStreamBuilder<LakeFile>,
) -> Result<Vec<Vec<Option<String>>>, ParquetError> {
    let batches = builder.with_batch_size(ROWS_SHOWN_MAX).build()?;
    let batches: Vec<_> = batches.try_collect().await?;
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
    use fixtures::tables;

    use super::*;

    #[tokio::test]
    async fn every_row_is_on_one_page_where_many_are_equal() {
        const ROWS: usize = 1_030;
        let folder = tempfile::tempdir().unwrap();
        let coins = (0..ROWS).map(|row| ["bitcoin", "solana"][row % 2]);
        let coins: ArrayRef = Arc::new(StringArray::from_iter_values(coins));
        let rows = RecordBatch::try_from_iter([("coin", coins)]).unwrap();
        tables::append(folder.path(), "raw", "2025-06-01", (0, 0), &rows);
        let snapshot = tables::snapshot(folder.path(), "raw").unwrap();
        for descending in [false, true] {
            let mut places = Vec::new();
            for skip in (0..ROWS).step_by(ROWS_SHOWN_MAX) {
                let query = RowsQuery {
                    layer: "raw".to_owned(),
                    path: snapshot.files()[0].path.clone(),
                    skip,
                    sort: "coin".to_owned(),
                    descending,
                };
                let page = sorted(snapshot.table().lake(), &query).await.unwrap();
                places.extend(page);
            }
            let first = usize::from(descending);
            let wanted = (first..ROWS).step_by(2);
            let wanted = wanted.chain((1 - first..ROWS).step_by(2));
            assert_eq!(places, wanted.collect::<Vec<_>>());
        }
    }

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
