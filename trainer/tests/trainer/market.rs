//! Markets for tests, as lakes: the features are computed by the code that computes them in the broker.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use fixtures::tables;
use jiff::Timestamp;
use market::{Clean, FeatureParams, Featurizer, WindowFeatures};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trainer::data::{Rows, RowsBuilder};

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A midnight.
pub(crate) const BEGIN_MS: i64 = 1_748_736_000_000;

/// A row of lake/features.
#[derive(Debug, Clone)]
pub(crate) struct FeatureRow {
    pub coin: String,
    pub event_time: i64,
    pub price: f64,
    pub volume: f64,
    pub windows: WindowFeatures,
}

/// A price, and the volume of the last 24 hours.
pub(crate) struct Tick<'a> {
    pub coin: &'a str,
    pub time: i64,
    pub price: f64,
    pub volume: f64,
}

/// Features of ticks, which come in order of time.
pub(crate) fn features<'a>(ticks: impl IntoIterator<Item = Tick<'a>>) -> Vec<FeatureRow> {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let row = |tick: Tick<'_>| {
        let row = featurizer.row(Clean {
            raw_offset: None,
            coin: tick.coin.into(),
            symbol: "sym".into(),
            event_time: tick.time,
            fetched_at: None,
            price: tick.price,
            market_cap: None,
            volume_24h: Some(tick.volume),
            change_24h_pct: None,
            backfilled: false,
        });
        FeatureRow {
            coin: tick.coin.to_owned(),
            event_time: tick.time,
            price: tick.price,
            volume: tick.volume,
            windows: row.windows,
        }
    };
    ticks.into_iter().map(row).collect()
}

/// Two coins, a tick a minute. Trading multiplies ten minutes before a price jumps, several times a day; and a price that
/// rose goes on rising more often than not.
pub(crate) fn announced_jumps(days: usize, seed: u64) -> Vec<FeatureRow> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let coins = ["bitcoin", "solana"];
    let mut jump_at = [90_usize, 140];
    let mut prices = [100_000.0, 150.0];
    let mut drift = [0.0_f64; 2];
    let mut ticks = Vec::new();
    for minute in 0..days * 1440 {
        for coin in 0..coins.len() {
            drift[coin] = 0.9 * drift[coin] + rng.random_range(-1e-4..1e-4);
            let mut step = drift[coin] + rng.random_range(-2e-4..2e-4);
            let to_jump = jump_at[coin] as i64 - minute as i64;
            if to_jump == 0 {
                step += if rng.random_bool(0.5) { 0.02 } else { -0.02 };
                jump_at[coin] = minute + rng.random_range(100..300);
            }
            prices[coin] *= 1.0 + step;
            let busy = (1..=10).contains(&to_jump);
            // Of a rolling sum: a minute's trading shows as a small step.
            let volume =
                1e9 * (1.0 + 1e-4 * rng.random_range(-1.0..1.0) + if busy { 8e-4 } else { 0.0 });
            ticks.push(Tick {
                coin: coins[coin],
                time: BEGIN_MS + minute as i64 * MINUTE_MS,
                price: prices[coin],
                volume,
            });
        }
    }
    features(ticks)
}

/// A coin that hardly moves.
pub(crate) fn quiet(minutes: usize) -> Vec<FeatureRow> {
    let tick = |minute: usize| Tick {
        coin: "tether",
        time: BEGIN_MS + minute as i64 * MINUTE_MS,
        price: 1.0 + 1e-6 * f64::from(u8::from(minute.is_multiple_of(7))),
        volume: 1e9,
    };
    features((0..minutes).map(tick))
}

/// Rows as the trainer has them in memory.
pub(crate) fn rows(features: &[FeatureRow]) -> Rows {
    let mut builder = RowsBuilder::default();
    for (input, row) in (0..).zip(features) {
        builder.push(input, &row.coin, row.event_time, row.price, &row.windows);
    }
    builder.build()
}

/// Writes a file of lake/features, of its first row's date, without the columns left out. `number` is the offset of the first
/// row's input.
pub(crate) fn write(lake: &Path, number: usize, rows: &[FeatureRow], left_out: &[&str]) {
    let first = Timestamp::from_millisecond(rows[0].event_time).unwrap();
    let times = rows.iter().map(|row| row.event_time * 1_000);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        (
            "coin",
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| &row.coin),
            )),
        ),
        ("event_time", Arc::new(times)),
        (
            "price",
            Arc::new(Float64Array::from_iter_values(
                rows.iter().map(|row| row.price),
            )),
        ),
        // Not learned from.
        ("ma_1m", numbers(rows, |w| w.ma_1m)),
    ];
    columns.extend([
        ("ma_5m", numbers(rows, |w| w.ma_5m)),
        ("ma_15m", numbers(rows, |w| w.ma_15m)),
        ("volatility_5m", numbers(rows, |w| w.volatility_5m)),
        ("volatility_15m", numbers(rows, |w| w.volatility_15m)),
        ("return_1m", numbers(rows, |w| w.return_1m)),
        ("return_5m", numbers(rows, |w| w.return_5m)),
        ("return_15m", numbers(rows, |w| w.return_15m)),
        ("zscore_15m", numbers(rows, |w| w.zscore_15m)),
        ("return_zscore_15m", numbers(rows, |w| w.return_zscore_15m)),
        ("volume_ratio", numbers(rows, |w| w.volume_ratio)),
        ("move_15m", numbers(rows, |w| w.move_15m)),
        ("volume_surge", numbers(rows, |w| w.volume_surge)),
    ]);
    columns.extend([
        ("samples_15m", counts(rows, |w| w.samples_15m)),
        ("features_version", counts(rows, |w| w.features_version)),
    ]);
    columns.retain(|(name, _)| !left_out.contains(name));
    let nullable = |(name, array)| (name, array, true);
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(nullable)).unwrap();
    let date = first.strftime("%Y-%m-%d").to_string();
    tables::append(lake, "features", &date, (0, number as i64), &batch);
}

fn counts(rows: &[FeatureRow], of: impl Fn(&WindowFeatures) -> Option<u32>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(
        rows.iter().map(|row| of(&row.windows).map(i64::from)),
    ))
}

fn numbers(rows: &[FeatureRow], of: impl Fn(&WindowFeatures) -> Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(
        rows.iter().map(|row| of(&row.windows)),
    ))
}
