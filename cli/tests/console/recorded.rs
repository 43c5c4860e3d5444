//! Recordings of markets that a test makes.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use parquet::arrow::ArrowWriter;

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;
const MINUTE_MS: i64 = 60_000;

/// A coin's minute.
pub(crate) struct Recorded {
    pub minute: i64,
    pub coin: String,
    pub price: f64,
    pub market_cap: f64,
    pub volume: f64,
}

/// Writes a recording of these, which ascend by minute.
pub(crate) fn write_recording(path: &Path, minutes: &[Recorded]) {
    let times = minutes.iter().map(|it| START_MS + it.minute * MINUTE_MS);
    let times = TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC");
    let coins = StringArray::from_iter_values(minutes.iter().map(|it| &it.coin));
    let number = |of: fn(&Recorded) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(minutes.iter().map(of)))
    };
    let columns: [(&str, ArrayRef); 6] = [
        ("event_time", Arc::new(times)),
        ("coin", Arc::new(coins.clone())),
        ("symbol", Arc::new(coins)),
        ("price_usd", number(|it| it.price)),
        ("market_cap_usd", number(|it| it.market_cap)),
        ("volume_24h_usd", number(|it| it.volume)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
