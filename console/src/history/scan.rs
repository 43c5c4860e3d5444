//! Reads one coin's rows from a layer of the lake.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::ArrowError;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lake::{DataFile, Lake};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};

use crate::history::error::HistoryError;

const FILES_AT_ONCE: usize = 4;
const DAY_MS: i64 = 86_400_000;

/// The files that may hold rows from `from` to `until`, in the order of their rows.
///
/// A file's date is that of its first row. Earlier rows may follow in the same file, but none of a later day.
pub(super) async fn files(
    lake: &Lake,
    layer: &str,
    from: i64,
    until: i64,
) -> Result<Vec<DataFile>, HistoryError> {
    let dates = day(from)..=day(until.saturating_add(DAY_MS));
    let mut files = lake.files(layer).await?;
    files.retain(|file| {
        file.date()
            .is_some_and(|date| dates.contains(&date.to_owned()))
    });
    Ok(files)
}

/// The UTC date of a time, as `YYYY-MM-DD`.
fn day(time_ms: i64) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or(match time_ms {
        ..0 => Timestamp::MIN,
        0.. => Timestamp::MAX,
    });
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// The rows of one coin in `files`, with `columns` only.
pub(super) async fn rows(
    lake: &Lake,
    layer: &str,
    files: Vec<DataFile>,
    coin: &str,
    columns: &[&str],
) -> Result<Vec<RecordBatch>, HistoryError> {
    let read = files
        .into_iter()
        .map(|file| read_file(lake, layer, file, coin, columns));
    let batches: Vec<Vec<RecordBatch>> = stream::iter(read)
        .buffer_unordered(FILES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(batches.into_iter().flatten().collect())
}

async fn read_file(
    lake: &Lake,
    layer: &str,
    file: DataFile,
    coin: &str,
    columns: &[&str],
) -> Result<Vec<RecordBatch>, HistoryError> {
    let mut rows = lake.rows(&file.path).await?;
    let schema = rows.parquet_schema();
    let shown = ProjectionMask::columns(schema, columns.iter().copied());
    let coin_column = ProjectionMask::columns(schema, ["coin"]);
    let coin_index = schema
        .columns()
        .iter()
        .position(|column| column.path().string() == "coin")
        .ok_or_else(|| HistoryError::of(layer, "it has no column `coin`"))?;
    // The bloom filter rules out row groups without the coin.
    let mut groups = Vec::new();
    for group in 0..rows.metadata().num_row_groups() {
        let filter = rows.get_row_group_column_bloom_filter(group, coin_index);
        let filter = filter
            .await
            .map_err(|error| HistoryError::of(layer, error))?;
        if filter.is_none_or(|filter| filter.check(coin)) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = coin.to_owned();
    let is_coin = ArrowPredicateFn::new(coin_column, move |batch: RecordBatch| {
        let coins = batch.columns().first();
        let coins = coins.and_then(|column| column.as_string_opt::<i32>());
        let coins = coins.ok_or_else(|| ArrowError::SchemaError("no column `coin`".to_owned()))?;
        Ok(coins.iter().map(|coin| Some(coin? == wanted)).collect())
    });
    rows.with_row_groups(groups)
        .with_projection(shown)
        .with_row_filter(RowFilter::new(vec![Box::new(is_coin)]))
        .build()
        .map_err(|error| HistoryError::of(layer, error))?
        .try_collect()
        .await
        .map_err(|error| HistoryError::of(layer, error))
}

/// A column by name; `None` when the rows have no such column.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a dyn Array> {
    batch.column_by_name(name).map(AsRef::as_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc_and_extreme_times_do_not_panic() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(DAY_MS - 1), "1970-01-01");
        assert_eq!(day(DAY_MS), "1970-01-02");
        assert!(!day(i64::MIN).is_empty() && !day(i64::MAX).is_empty());
    }
}
