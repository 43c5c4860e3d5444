//! Reads rows of a range of times from a table of the lake, one coin's or all.

use std::ops::RangeInclusive;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use futures_util::{Stream, StreamExt, TryFutureExt, TryStreamExt, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lake::{DataFile, Lake, Snapshot};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::history::error::HistoryError;

/// Each holds the pages of one row group.
const FILES_AT_ONCE: usize = 4;

/// What a page asks of a table.
#[derive(Debug)]
pub(super) struct Sought<'a> {
    /// `None` is all of them.
    pub coin: Option<&'a str>,
    /// In milliseconds since the epoch.
    pub times: RangeInclusive<i64>,
    /// The columns shown. Files from before a column was added do not have it.
    pub columns: &'a [&'a str],
}

/// The rows sought, in no order.
pub(super) fn rows<'a>(
    snapshot: &'a Snapshot,
    sought: &'a Sought<'a>,
) -> impl Stream<Item = Result<RecordBatch, HistoryError>> + 'a {
    let lake = snapshot.table().lake();
    let files = snapshot
        .files()
        .iter()
        .filter(|file| sought.may_be_in(file));
    let files: Vec<DataFile> = files.cloned().collect();
    stream::iter(files)
        .map(move |file| sought.read(lake, file).try_flatten_stream().boxed())
        .flatten_unordered(FILES_AT_ONCE)
}

impl Sought<'_> {
    fn may_be_in(&self, file: &DataFile) -> bool {
        let in_time = match file.bounds("event_time") {
            Some((first, last)) => self.overlaps(first, last),
            // No row is of a later day than its file.
            None => (file.date.as_ref()).is_none_or(|date| *date >= day(*self.times.start())),
        };
        in_time && self.coin.is_none_or(|coin| file.may_hold("coin", coin))
    }

    fn overlaps(&self, first_ms: i64, last_ms: i64) -> bool {
        first_ms <= *self.times.end() && *self.times.start() <= last_ms
    }

    async fn read(
        &self,
        lake: &Lake,
        file: DataFile,
    ) -> Result<impl Stream<Item = Result<RecordBatch, HistoryError>> + use<>, HistoryError> {
        let rows = lake.rows_sized(&file.path, file.bytes).await?;
        let unreadable = move |reason: String| HistoryError::File {
            path: file.path.clone(),
            reason,
        };
        let schema = rows.parquet_schema();
        let shown = ProjectionMask::columns(schema, self.columns.iter().copied());
        let searched = ProjectionMask::columns(schema, ["coin", "event_time"]);
        let groups = rows.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| self.may_be_in_group(group));
        let groups = groups.map(|(index, _)| index).collect();
        let (coin, times) = (self.coin.map(str::to_owned), self.times.clone());
        let is_sought = ArrowPredicateFn::new(searched, move |batch: RecordBatch| {
            let coins = column(&batch, "coin").and_then(|column| column.as_string_opt::<i32>());
            let event_times = event_times(&batch);
            let (Some(coins), Some(event_times)) = (coins, event_times) else {
                let problem = "column `coin` or `event_time` is missing or has another type";
                return Err(ArrowError::SchemaError(problem.to_owned()));
            };
            let is_sought = |row| {
                let is_whole = coins.is_valid(row) && event_times.is_valid(row);
                is_whole
                    && coin.as_ref().is_none_or(|coin| coins.value(row) == coin)
                    && times.contains(&millis(event_times.value(row)))
            };
            Ok(BooleanArray::from_iter(
                (0..batch.num_rows()).map(|row| Some(is_sought(row))),
            ))
        });
        let rows = rows
            .with_row_groups(groups)
            .with_projection(shown)
            .with_row_filter(RowFilter::new(vec![Box::new(is_sought)]))
            .build()
            .map_err(|error| unreadable(error.to_string()))?;
        Ok(rows.map_err(move |error| unreadable(error.to_string())))
    }

    fn may_be_in_group(&self, group: &RowGroupMetaData) -> bool {
        let coin = self.coin.map(str::as_bytes);
        group.columns().iter().all(|column| {
            let Some(statistics) = column.statistics() else {
                return true;
            };
            match (column.column_path().string().as_str(), statistics) {
                ("event_time", Statistics::Int64(times)) => {
                    let bounds = times.min_opt().zip(times.max_opt());
                    bounds.is_none_or(|(first, last)| self.overlaps(millis(*first), millis(*last)))
                }
                ("coin", coins) => {
                    let bounds = coins.min_bytes_opt().zip(coins.max_bytes_opt());
                    let bounds = coin.zip(bounds);
                    bounds.is_none_or(|(coin, (first, last))| first <= coin && coin <= last)
                }
                _ => true,
            }
        })
    }
}

/// All rows of a file, with these columns; it may be without some.
pub(super) async fn all(
    lake: &Lake,
    path: &str,
    columns: &[&str],
) -> Result<impl Stream<Item = Result<RecordBatch, HistoryError>> + use<>, HistoryError> {
    let rows = lake.rows(path).await?;
    let path = path.to_owned();
    let unreadable = move |reason: String| HistoryError::File {
        path: path.clone(),
        reason,
    };
    let shown = ProjectionMask::columns(rows.parquet_schema(), columns.iter().copied());
    let rows = rows.with_projection(shown).build();
    let rows = rows.map_err(|error| unreadable(error.to_string()))?;
    Ok(rows.map_err(move |error| unreadable(error.to_string())))
}

/// The UTC date of a time, as `YYYY-MM-DD`.
fn day(time_ms: i64) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or(match time_ms {
        ..0 => Timestamp::MIN,
        0.. => Timestamp::MAX,
    });
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// A column by name; `None` when the rows have no such column.
pub(super) fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a dyn Array> {
    batch.column_by_name(name).map(AsRef::as_ref)
}

/// The rows' times, in microseconds.
pub(super) fn event_times(batch: &RecordBatch) -> Option<&arrow_array::TimestampMicrosecondArray> {
    column(batch, "event_time")?.as_primitive_opt::<TimestampMicrosecondType>()
}

/// A row's list of texts; empty where there is none.
pub(super) fn texts(column: Option<&dyn Array>, row: usize) -> Vec<String> {
    let lists = column.and_then(|column| column.as_list_opt::<i32>());
    let list = lists.and_then(|lists| lists.is_valid(row).then(|| lists.value(row)));
    let texts = list.as_ref().and_then(|list| list.as_string_opt::<i32>());
    let texts = texts.into_iter().flatten().flatten();
    texts.map(str::to_owned).collect()
}

pub(super) fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc_and_extreme_times_do_not_panic() {
        const DAY_MS: i64 = 86_400_000;
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(DAY_MS - 1), "1970-01-01");
        assert_eq!(day(DAY_MS), "1970-01-02");
        assert!(!day(i64::MIN).is_empty() && !day(i64::MAX).is_empty());
    }
}
