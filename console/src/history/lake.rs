//! The past, from the tables of the lake: all of it, however many files it is in.

use std::ops::RangeInclusive;
use std::pin::pin;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, Float64Array};
use futures_util::TryStreamExt;
use lake::Snapshot;
use market::names::layer;

use crate::history::error::HistoryError;
use crate::history::mark::Mark;
use crate::history::scan::{self, Sought};
use crate::state::{Evidence, MaybeF64, Outlook, Point, rounded};

/// A coin's ticks in a range of times, in milliseconds since the epoch, in no order; a time may come twice.
pub(crate) async fn points(
    snapshot: &Snapshot,
    coin: &str,
    times: RangeInclusive<i64>,
) -> Result<Vec<Point>, HistoryError> {
    let sought = Sought {
        coin: Some(coin),
        times,
        columns: &[
            "event_time",
            "price",
            "ma_5m",
            "ma_15m",
            "volatility_15m",
            "samples_15m",
            "volume_24h",
            "zscore_15m",
            "backfilled",
        ],
    };
    let mut points = Vec::new();
    let mut batches = pin!(scan::rows(snapshot, &sought));
    while let Some(batch) = batches.try_next().await? {
        let numbers = |name: &str| {
            scan::column(&batch, name).and_then(|column| column.as_primitive_opt::<Float64Type>())
        };
        let (Some(time), Some(price)) = (scan::event_times(&batch), numbers("price")) else {
            return Err(HistoryError::of(
                layer::FEATURES,
                "column `event_time` or `price` is missing or has another type",
            ));
        };
        let samples = scan::column(&batch, "samples_15m")
            .and_then(|column| column.as_primitive_opt::<Int64Type>());
        let backfilled = scan::column(&batch, "backfilled").and_then(AsArray::as_boolean_opt);
        let optional = |column: Option<&Float64Array>, row: usize| {
            let number = column.filter(|column| column.is_valid(row));
            MaybeF64::from(number.map(|column| column.value(row)))
        };
        let [ma_5m, ma_15m, volatility_15m, volume_24h, zscore_15m] = [
            "ma_5m",
            "ma_15m",
            "volatility_15m",
            "volume_24h",
            "zscore_15m",
        ]
        .map(numbers);
        points.extend((0..batch.num_rows()).map(|row| {
            Point {
                time: scan::millis(time.value(row)),
                price: price.value(row),
                ma_5m: optional(ma_5m, row),
                ma_15m: optional(ma_15m, row),
                volatility_15m: optional(volatility_15m, row),
                samples_15m: samples
                    .and_then(|column| u32::try_from(column.value(row)).ok())
                    .unwrap_or(0),
                volume_24h: optional(volume_24h, row),
                zscore_15m: optional(zscore_15m, row),
                outlook: Outlook::default(),
                backfilled: backfilled
                    .is_some_and(|column| column.is_valid(row) && column.value(row)),
            }
        }));
    }
    Ok(points)
}

/// The alerts of a coin, or of all, in a range of times, in milliseconds since the epoch, in no order. Of more than `marks_max` only the
/// newest remain, and at most twice as many.
pub(crate) async fn marks(
    snapshot: &Snapshot,
    coin: Option<&str>,
    marks_max: usize,
    times: RangeInclusive<i64>,
) -> Result<Vec<Mark>, HistoryError> {
    let sought = Sought {
        coin,
        times,
        columns: &[
            "alert_id",
            "coin",
            "symbol",
            "event_time",
            "price",
            "kinds",
            "severity",
            "message",
            "score",
            "zscore_15m",
            "move_15m",
            "return_15m",
            "return_zscore_15m",
            "volume_surge",
            "volume_ratio",
        ],
    };
    let mut marks = Vec::new();
    let mut batches = pin!(scan::rows(snapshot, &sought));
    while let Some(batch) = batches.try_next().await? {
        let text = |name: &str| {
            scan::column(&batch, name).and_then(|column| column.as_string_opt::<i32>())
        };
        let price = scan::column(&batch, "price")
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        let (Some(time), Some(price), Some(coins), Some(id), Some(severity), Some(message)) = (
            scan::event_times(&batch),
            price,
            text("coin"),
            text("alert_id"),
            text("severity"),
            text("message"),
        ) else {
            return Err(HistoryError::of(
                layer::ALERTS,
                "a column of crypto-alerts is missing or has another type",
            ));
        };
        let number = |name: &str, row: usize| {
            let column = scan::column(&batch, name)?.as_primitive_opt::<Float64Type>()?;
            // Nobody sees more digits.
            column
                .is_valid(row)
                .then(|| rounded(column.value(row), 6))?
        };
        let (kinds, symbols) = (scan::column(&batch, "kinds"), text("symbol"));
        marks.extend((0..batch.num_rows()).map(|row| Mark {
            alert_id: id.value(row).to_owned(),
            coin: coins.value(row).to_owned(),
            symbol: symbols.map_or_else(String::new, |symbols| symbols.value(row).to_owned()),
            event_time: scan::millis(time.value(row)),
            price: price.value(row),
            kinds: scan::texts(kinds, row),
            severity: severity.value(row).to_owned(),
            message: message.value(row).to_owned(),
            evidence: Evidence {
                score: number("score", row),
                zscore_15m: number("zscore_15m", row),
                move_15m: number("move_15m", row),
                return_15m: number("return_15m", row),
                return_zscore_15m: number("return_zscore_15m", row),
                volume_surge: number("volume_surge", row),
                volume_ratio: number("volume_ratio", row),
            },
        }));
        if marks.len() > 2 * marks_max {
            marks.sort_by_key(|mark: &Mark| -mark.event_time);
            marks.truncate(marks_max);
        }
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use fixtures::tables;

    use super::*;

    const MINUTE: i64 = 60_000;
    const FILES: i64 = 60;

    /// A tick of two coins each minute: bitcoin at even minutes has an alert.
    fn write(lake: &Path, partition: u32, minute: i64, coins: [&str; 2]) {
        let time = minute * MINUTE * 1_000;
        let times = TimestampMicrosecondArray::from(vec![time, time]).with_timezone("UTC");
        // A live tick has null.
        let backfilled = BooleanArray::from(vec![(minute < FILES / 2).then_some(true); 2]);
        let columns: [(&str, ArrayRef); 4] = [
            ("backfilled", Arc::new(backfilled)),
            ("coin", Arc::new(StringArray::from(coins.to_vec()))),
            ("event_time", Arc::new(times)),
            ("price", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
        ];
        let nullable = |(name, array)| (name, array, true);
        let ticks = RecordBatch::try_from_iter_with_nullable(columns.map(nullable)).unwrap();
        let at = (partition, 2 * minute);
        tables::append(lake, layer::FEATURES, "1970-01-01", at, &ticks);
        if coins[0] != "bitcoin" || minute % 2 != 0 {
            return;
        }
        let texts = ["alert_id", "severity", "message"].map(|name| {
            let text: ArrayRef = Arc::new(StringArray::from(vec![format!("{name} {minute}")]));
            (name, text)
        });
        let columns = ticks
            .schema()
            .fields()
            .iter()
            .cloned()
            .zip(ticks.slice(0, 1).columns().to_vec())
            .collect::<Vec<_>>();
        let columns = columns
            .iter()
            .map(|(field, array)| (field.name().as_str(), Arc::clone(array)));
        let columns = columns.chain(texts).map(nullable);
        let alert = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        tables::append(lake, layer::ALERTS, "1970-01-01", at, &alert);
    }

    #[tokio::test]
    async fn a_chart_has_every_tick_and_every_alert() {
        let lake = tempfile::tempdir().unwrap();
        for minute in 0..FILES {
            write(lake.path(), 0, minute, ["aave", "solana"]);
            write(lake.path(), 1, minute, ["bitcoin", "cardano"]);
            write(lake.path(), 2, minute, ["tether", "xrp"]);
        }
        let features = tables::snapshot(lake.path(), layer::FEATURES).unwrap();
        let alerts = tables::snapshot(lake.path(), layer::ALERTS).unwrap();
        for (times, minutes) in [
            (0..=i64::MAX, 0..FILES),
            (5 * MINUTE..=20 * MINUTE, 5..21),
            (5 * MINUTE + 1..=20 * MINUTE - 1, 6..20),
        ] {
            let found = points(&features, "bitcoin", times.clone()).await.unwrap();
            let backfilled = |point: &Point| point.time < FILES / 2 * MINUTE;
            assert!(
                found
                    .iter()
                    .all(|point| point.backfilled == backfilled(point)),
                "{times:?}"
            );
            let mut found: Vec<i64> = found.iter().map(|point| point.time / MINUTE).collect();
            found.sort_unstable();
            assert_eq!(found, minutes.clone().collect::<Vec<_>>(), "{times:?}");
            let mut found: Vec<i64> = (marks(&alerts, Some("bitcoin"), 1_000, times.clone())
                .await
                .unwrap())
            .iter()
            .map(|mark| mark.event_time / MINUTE)
            .collect();
            found.sort_unstable();
            let even: Vec<i64> = minutes.filter(|minute| minute % 2 == 0).collect();
            assert_eq!(found, even, "{times:?}");
        }
        let newest = marks(&alerts, None, 2, 0..=i64::MAX).await.unwrap();
        let newest: Vec<i64> = newest.iter().map(|mark| mark.event_time / MINUTE).collect();
        assert!(
            newest.len() < 5 && newest.contains(&(FILES - 2)),
            "{newest:?}"
        );
        let marks = marks(&alerts, Some("bitcoin"), 1_000, 0..=0).await.unwrap();
        let [mark] = &*marks else { panic!("{marks:?}") };
        assert_eq!(
            (&*mark.alert_id, &*mark.severity),
            ("alert_id 0", "severity 0")
        );
        for (coin, times) in [("nobody", 0..=i64::MAX), ("bitcoin", -5..=-1)] {
            assert!(points(&features, coin, times).await.unwrap().is_empty());
        }
    }
}
