//! A coin's past, from the layers of the lake.
//!
//! A chart reads at most [`FILES_MAX`] files. For a range that has more, it reads files at even distances.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use lake::Lake;
use market::names::layer;

use crate::history::error::HistoryError;
use crate::history::mark::Mark;
use crate::history::scan;
use crate::state::Point;

const FILES_MAX: usize = 500;

/// A coin's ticks in the lake.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// Ascending in time, each time once.
    pub points: Vec<Point>,
    /// Whether files were left out.
    pub sampled: bool,
}

/// A coin's ticks from `from` to `until`, both included, in milliseconds since the epoch.
pub(crate) async fn points(
    lake: &Lake,
    coin: &str,
    from: i64,
    until: i64,
) -> Result<Past, HistoryError> {
    const COLUMNS: [&str; 6] = [
        "event_time",
        "price",
        "ma_5m",
        "ma_15m",
        "volatility_15m",
        "samples_15m",
    ];
    let files = scan::files(lake, layer::FEATURES, from, until).await?;
    let step = files.len().div_ceil(FILES_MAX).max(1);
    let sampled = step > 1;
    // Backwards, so that the newest file is always included.
    let files: Vec<_> = files.into_iter().rev().step_by(step).collect();
    let batches = scan::rows(lake, layer::FEATURES, files, coin, &COLUMNS).await?;
    let mut points = BTreeMap::new();
    for batch in &batches {
        let number = |name: &str| {
            scan::column(batch, name).and_then(|column| column.as_primitive_opt::<Float64Type>())
        };
        let time = scan::column(batch, "event_time")
            .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
        let (Some(time), Some(price)) = (time, number("price")) else {
            return Err(HistoryError::of(
                layer::FEATURES,
                "column `event_time` or `price` is missing or has another type",
            ));
        };
        let samples = scan::column(batch, "samples_15m")
            .and_then(|column| column.as_primitive_opt::<Int64Type>());
        let optional = |name: &str, row: usize| {
            number(name).and_then(|column| column.is_valid(row).then(|| column.value(row)))
        };
        for row in 0..batch.num_rows() {
            let time = time.value(row);
            if time < from || time > until {
                continue;
            }
            let samples = samples.map_or(0, |column| column.value(row));
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

/// A coin's alerts from `from` to `until`, both included, oldest first.
pub(crate) async fn marks(
    lake: &Lake,
    coin: &str,
    from: i64,
    until: i64,
) -> Result<Vec<Mark>, HistoryError> {
    const COLUMNS: [&str; 5] = ["alert_id", "event_time", "price", "severity", "message"];
    let files = scan::files(lake, layer::ALERTS, from, until).await?;
    let newest: Vec<_> = files.into_iter().rev().take(FILES_MAX).collect();
    let mut marks = Vec::new();
    for batch in scan::rows(lake, layer::ALERTS, newest, coin, &COLUMNS).await? {
        let text = |name: &str| {
            scan::column(&batch, name).and_then(|column| column.as_string_opt::<i32>())
        };
        let time = scan::column(&batch, "event_time")
            .and_then(|column| column.as_primitive_opt::<TimestampMillisecondType>());
        let price = scan::column(&batch, "price")
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        let (Some(time), Some(price), Some(id), Some(severity), Some(message)) = (
            time,
            price,
            text("alert_id"),
            text("severity"),
            text("message"),
        ) else {
            return Err(HistoryError::of(
                layer::ALERTS,
                "a column of crypto-alerts is missing or has another type",
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
