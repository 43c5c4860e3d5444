//! A market of any size as a recording: one tick a coin and minute, spread over the minute.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 2025-06-01T00:00Z.
const START_MS: i64 = 1_748_736_000_000;
const MINUTE_MS: i64 = 60_000;

/// How large a market is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Coins from the first minute on.
    pub coins: usize,
    /// Coins that come later: so many every minute, evenly.
    pub new_coins_a_minute: usize,
    pub minutes: usize,
}

/// Writes the recording; returns how many rows it has.
pub(super) fn write(path: &Path, size: Size, seed: u64) -> u64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut prices: Vec<f64> = Vec::new();
    let mut writer = None;
    let mut rows = 0;
    for minute in 0..size.minutes {
        let start_ms = START_MS + minute as i64 * MINUTE_MS;
        let old = prices.len().max(size.coins);
        let coins = size.coins + (minute + 1) * size.new_coins_a_minute;
        prices.resize_with(coins, || random.random_range(0.01..1_000.0));
        // A coin has its place in the minute; a new one comes at its own moment.
        let mut ticks: Vec<(i64, usize)> = (0..coins)
            .map(|coin| {
                let (place, places) = match coin.checked_sub(old) {
                    None => (coin, old),
                    Some(new) => (new, size.new_coins_a_minute),
                };
                (start_ms + place as i64 * MINUTE_MS / places as i64, coin)
            })
            .collect();
        ticks.sort_unstable();
        for (_, coin) in &ticks {
            prices[*coin] *= 1.0 + random.random_range(-0.001..0.001);
        }
        let of = |value: fn(f64) -> f64| {
            let values = ticks.iter().map(|(_, coin)| value(prices[*coin]));
            Arc::new(Float64Array::from_iter_values(values)) as ArrayRef
        };
        let named = |prefix: &str| {
            let names = ticks.iter().map(|(_, coin)| format!("{prefix}{coin}"));
            Arc::new(StringArray::from_iter_values(names)) as ArrayRef
        };
        let times = ticks.iter().map(|(time_ms, _)| *time_ms);
        let times = TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC");
        let batch = RecordBatch::try_from_iter([
            ("event_time", Arc::new(times) as ArrayRef),
            ("coin", named("coin-")),
            ("symbol", named("c")),
            ("price_usd", of(|price| price)),
            ("market_cap_usd", of(|price| price * 1e7)),
            ("volume_24h_usd", of(|price| price * 1e5)),
        ])
        .unwrap();
        let writer = writer.get_or_insert_with(|| {
            ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap()
        });
        writer.write(&batch).unwrap();
        rows += batch.num_rows() as u64;
    }
    writer.unwrap().close().unwrap();
    rows
}
