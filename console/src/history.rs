//! A coin's past, read from the lake.
//!
//! At most [`FILES_MAX`] files are read for a chart: of a range that has more, files at even distances.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, Scalar, StringArray};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow::error::ArrowError;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lake::{DataFile, Lake, LakeError};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use serde::Serialize;

use crate::alerts::Alert;
use crate::points::Point;

const FILES_MAX: usize = 500;
const FILES_AT_ONCE: usize = 4;
const DAY_MS: i64 = 86_400_000;

/// A coin's ticks in the lake.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// In the order of time, each time once.
    pub points: Vec<Point>,
    /// Whether files were left out.
    pub sampled: bool,
}

/// An alert in the lake, as a chart marks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mark {
    pub alert_id: String,
    pub event_time: i64,
    pub price: f64,
    pub severity: String,
    pub message: String,
}

impl From<Alert> for Mark {
    fn from(alert: Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            event_time: alert.event_time,
            price: alert.price,
            severity: alert.severity,
            message: alert.message,
        }
    }
}

/// Why there is no past to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error("layer {layer} cannot be read: {reason}")]
    Layer { layer: String, reason: String },
}

impl HistoryError {
    fn of(layer: &str, reason: impl ToString) -> Self {
        Self::Layer {
            layer: layer.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// What a coin's features were, from `from` until `until`, both included.
pub(crate) async fn points(
    lake: &Lake,
    coin: &str,
    from: i64,
    until: i64,
) -> Result<Past, HistoryError> {
    const LAYER: &str = "features";
    const COLUMNS: [&str; 6] = [
        "event_time",
        "price",
        "ma_5m",
        "ma_15m",
        "volatility_15m",
        "samples_15m",
    ];
    let files = files(lake, LAYER, from, until).await?;
    let step = files.len().div_ceil(FILES_MAX).max(1);
    let sampled = step > 1;
    // The newest file is always among them.
    let files: Vec<_> = files.into_iter().rev().step_by(step).collect();
    let batches = read(lake, LAYER, files, coin, &COLUMNS).await?;
    let mut points = BTreeMap::new();
    for batch in &batches {
        let number = |name: &str| column(batch, name).map(|c| c.as_primitive::<Float64Type>());
        let (time, price) = (
            column(batch, "event_time").map(|c| c.as_primitive::<TimestampMillisecondType>()),
            number("price"),
        );
        let samples = column(batch, "samples_15m").map(|c| c.as_primitive::<Int64Type>());
        let (Some(time), Some(price)) = (time, price) else {
            return Err(HistoryError::of(LAYER, "it has no event_time or no price"));
        };
        let optional = |name: &str, row: usize| {
            number(name).and_then(|c| c.is_valid(row).then(|| c.value(row)))
        };
        for row in 0..batch.num_rows() {
            let time = time.value(row);
            if time < from || time > until {
                continue;
            }
            let samples = samples.map_or(0, |c| c.value(row));
            points.insert(
                time,
                Point {
                    time,
                    price: price.value(row),
                    ma_5m: optional("ma_5m", row),
                    ma_15m: optional("ma_15m", row),
                    volatility_15m: optional("volatility_15m", row),
                    samples_15m: u32::try_from(samples).unwrap_or(0),
                },
            );
        }
    }
    Ok(Past {
        points: points.into_values().collect(),
        sampled,
    })
}

/// A coin's alerts from `from` until `until`, both included, in the order of time.
pub(crate) async fn marks(
    lake: &Lake,
    coin: &str,
    from: i64,
    until: i64,
) -> Result<Vec<Mark>, HistoryError> {
    const LAYER: &str = "alerts";
    const COLUMNS: [&str; 5] = ["alert_id", "event_time", "price", "severity", "message"];
    let files = files(lake, LAYER, from, until).await?;
    let newest: Vec<_> = files.into_iter().rev().take(FILES_MAX).collect();
    let mut marks = Vec::new();
    for batch in read(lake, LAYER, newest, coin, &COLUMNS).await? {
        let text = |name: &str| column(&batch, name).and_then(|c| c.as_string_opt::<i32>());
        let time = column(&batch, "event_time")
            .and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
        let price = column(&batch, "price").and_then(|c| c.as_primitive_opt::<Float64Type>());
        let (Some(time), Some(price), Some(id), Some(severity), Some(message)) = (
            time,
            price,
            text("alert_id"),
            text("severity"),
            text("message"),
        ) else {
            return Err(HistoryError::of(
                LAYER,
                "its columns are not those of crypto-alerts",
            ));
        };
        for row in 0..batch.num_rows() {
            if (from..=until).contains(&time.value(row)) {
                marks.push(Mark {
                    alert_id: id.value(row).to_owned(),
                    event_time: time.value(row),
                    price: price.value(row),
                    severity: severity.value(row).to_owned(),
                    message: message.value(row).to_owned(),
                });
            }
        }
    }
    marks.sort_by_key(|mark| mark.event_time);
    Ok(marks)
}

/// The files that may hold rows of a range of time, in the order of their rows. A folder's date is that of its first row,
/// which an earlier row may follow, but no later day's.
async fn files(
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

fn day(time_ms: i64) -> String {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or(match time_ms {
        ..0 => Timestamp::MIN,
        0.. => Timestamp::MAX,
    });
    time.to_zoned(TimeZone::UTC).date().to_string()
}

/// The rows of one coin in these files.
async fn read(
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
        .ok_or_else(|| HistoryError::of(layer, "it has no column coin"))?;
    // The bloom filter spares reading what cannot hold the coin.
    let mut groups = Vec::new();
    for group in 0..rows.metadata().num_row_groups() {
        let filter = rows.get_row_group_column_bloom_filter(group, coin_index);
        let filter = filter.await.map_err(|e| HistoryError::of(layer, e))?;
        if filter.is_none_or(|filter| filter.check(coin)) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Scalar::new(StringArray::from(vec![coin.to_owned()]));
    let is_coin = ArrowPredicateFn::new(coin_column, move |batch: RecordBatch| {
        let coins = batch.columns().first();
        let coins = coins.ok_or_else(|| ArrowError::SchemaError("no column coin".to_owned()))?;
        cmp::eq(coins, &wanted)
    });
    rows.with_row_groups(groups)
        .with_projection(shown)
        .with_row_filter(RowFilter::new(vec![Box::new(is_coin)]))
        .build()
        .map_err(|e| HistoryError::of(layer, e))?
        .try_collect()
        .await
        .map_err(|e| HistoryError::of(layer, e))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a dyn Array> {
    batch.column_by_name(name).map(AsRef::as_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc_and_never_a_panic() {
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(DAY_MS - 1), "1970-01-01");
        assert_eq!(day(DAY_MS), "1970-01-02");
        assert!(!day(i64::MIN).is_empty() && !day(i64::MAX).is_empty());
    }
}
