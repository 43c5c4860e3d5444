//! Recordings as people write them, good and bad.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use replay::{Market, Recording, Step};

const MINUTE_MS: i64 = 60_000;
const START_MS: i64 = 1_700_000_040_000;

/// The columns of a good recording: two coins, three minutes.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    let times = (0..6).map(|i| START_MS + i / 2 * MINUTE_MS);
    let times = TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC");
    vec![
        ("event_time", Arc::new(times)),
        (
            "coin",
            Arc::new(StringArray::from(["bitcoin", "pepe"].repeat(3))),
        ),
        (
            "symbol",
            Arc::new(StringArray::from(["btc", "pepe"].repeat(3))),
        ),
        (
            "price_usd",
            Arc::new(Float64Array::from(vec![1.0, 2e-7, 2.0, 3e-7, 3.0, 4e-7])),
        ),
        (
            "market_cap_usd",
            Arc::new(Float64Array::from([Some(10.0), None].repeat(3))),
        ),
        (
            "volume_24h_usd",
            Arc::new(Float64Array::from([5.0, f64::NAN].repeat(3))),
        ),
    ]
}

/// The columns with one replaced.
fn with(
    name: &'static str,
    column: impl arrow_array::Array + 'static,
) -> Vec<(&'static str, ArrayRef)> {
    let mut columns = columns();
    let found = columns
        .iter_mut()
        .find(|(column, _)| *column == name)
        .unwrap();
    found.1 = Arc::new(column);
    columns
}

pub(crate) fn write(
    dir: &Path,
    columns: Vec<(&'static str, ArrayRef)>,
    compression: Compression,
) -> PathBuf {
    let path = dir.join("market.parquet");
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn read(recording: Recording) -> Vec<Vec<serde_json::Value>> {
    let market = Market::Recording(recording);
    let (mut steps, mut step, mut all) = (market.steps().unwrap(), Step::default(), Vec::new());
    while steps.next_into(&mut step).unwrap() {
        all.push(
            step.elements()
                .map(|e| serde_json::from_slice(e.json).unwrap())
                .collect(),
        );
    }
    assert_eq!(all.len() as u64, market.steps_total());
    let records = all.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(Some(records), market.records_total());
    all
}

#[test]
fn a_step_is_a_minute_in_coingeckos_shape() {
    let dir = tempfile::tempdir().unwrap();
    let steps = read(Recording::open(write(dir.path(), columns(), Compression::SNAPPY)).unwrap());
    assert_eq!(steps.len(), 3);
    let expected = serde_json::json!({
        "id": "pepe", "symbol": "pepe", "name": "pepe", "image": null, "current_price": 3e-7, "market_cap": null,
        "market_cap_rank": null, "total_volume": null, "high_24h": 3e-7, "low_24h": 2e-7, "price_change_24h": null,
        "price_change_percentage_24h": null, "last_updated": "2023-11-14T22:15:00.000Z"
    });
    assert_eq!(steps[1][1], expected);
    assert_eq!(steps[2][0]["market_cap"], 10.0);
}

#[test]
fn other_ways_to_write_the_same_are_understood() {
    let micros = (0..6).map(|i| (START_MS + i / 2 * MINUTE_MS) * 1_000);
    let nanos = (0..6).map(|i| (START_MS + i / 2 * MINUTE_MS) * 1_000_000);
    let coins: DictionaryArray<Int32Type> = ["bitcoin", "pepe"].repeat(3).into_iter().collect();
    let dir = tempfile::tempdir().unwrap();
    let expected =
        read(Recording::open(write(dir.path(), columns(), Compression::UNCOMPRESSED)).unwrap());
    for columns in [
        with(
            "event_time",
            TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"),
        ),
        with(
            "event_time",
            TimestampNanosecondArray::from_iter_values(nanos).with_timezone("+00:00"),
        ),
        with("coin", coins),
        with("symbol", LargeStringArray::from(["btc", "pepe"].repeat(3))),
        with(
            "market_cap_usd",
            Float32Array::from([Some(10.0), None].repeat(3)),
        ),
        with(
            "volume_24h_usd",
            Int64Array::from([Some(5), None].repeat(3)),
        ),
    ] {
        let path = write(dir.path(), columns, Compression::ZSTD(Default::default()));
        assert_eq!(read(Recording::open(path).unwrap()), expected);
    }
}

#[test]
fn a_coin_that_comes_twice_in_a_minute_begins_a_new_step() {
    let times = [0, 0, 10_000, 10_000, 59_000, 60_000].map(|ms| START_MS + ms);
    let times = TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC");
    let dir = tempfile::tempdir().unwrap();
    let path = write(
        dir.path(),
        with("event_time", times),
        Compression::UNCOMPRESSED,
    );
    let lengths: Vec<usize> = read(Recording::open(path).unwrap())
        .iter()
        .map(Vec::len)
        .collect();
    assert_eq!(lengths, [2, 2, 1, 1]);
}

#[test]
fn a_row_that_repeats_the_one_before_of_its_coin_is_left_out() {
    let mut columns = with(
        "event_time",
        TimestampMillisecondArray::from_iter_values([START_MS; 6]).with_timezone("UTC"),
    );
    // The same price again, then another at the same time.
    for (name, column) in &mut columns {
        if *name == "price_usd" {
            *column = Arc::new(Float64Array::from(vec![1.0, 2e-7, 1.0, 2e-7, 1.5, 2e-7]));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), columns, Compression::UNCOMPRESSED);
    let recording = Recording::open(path).unwrap();
    assert_eq!(recording.records_total(), 3);
    let lengths: Vec<usize> = read(recording).iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 1]);
}

#[test]
fn what_cannot_be_replayed_is_named_with_its_remedy() {
    let times =
        |ms: [i64; 6]| TimestampMillisecondArray::from_iter_values(ms.map(|ms| START_MS + ms));
    let utc = |ms| times(ms).with_timezone("UTC");
    let prices = |third: Option<f64>| {
        Float64Array::from(vec![
            Some(1.0),
            Some(1.0),
            third,
            Some(1.0),
            Some(1.0),
            Some(1.0),
        ])
    };
    let without: Vec<_> = columns()
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "coin" | "price_usd"))
        .collect();
    let half = [0, 1, 2, 3, 4, 500_500].map(|ns| START_MS * 1_000_000 + ns * 1_000_000 / 1_000);
    let half = TimestampNanosecondArray::from_iter_values(half).with_timezone("UTC");
    let mut coins = vec!["bitcoin"; 6];
    coins[4] = "";
    for (columns, parts) in [
        (
            without,
            vec!["lacks coin, price_usd", "event_time (timestamp[ms, UTC])"],
        ),
        (
            with("price_usd", prices(Some(f64::NAN))),
            vec!["price_usd of row 2", "is NaN", "drop the row"],
        ),
        (
            with("price_usd", prices(None)),
            vec!["price_usd of row 2", "is null"],
        ),
        (
            with("price_usd", prices(Some(f64::INFINITY))),
            vec!["price_usd of row 2", "is inf"],
        ),
        (
            with("event_time", utc([0, 0, 60_000, 59_000, 60_000, 60_000])),
            vec![
                "event_time of row 3",
                "goes back by 1000 ms",
                "sort the recording by event_time",
            ],
        ),
        (
            with("event_time", times([0; 6])),
            vec!["event_time", "tz_localize('UTC')"],
        ),
        (
            with("event_time", Int64Array::from(vec![0; 6])),
            vec!["event_time", "Int64", "pd.to_datetime"],
        ),
        (
            with("event_time", half),
            vec!["event_time of row 1", "whole millisecond", "floor('ms')"],
        ),
        (
            with("event_time", utc([-START_MS - 1, 0, 0, 0, 0, 0])),
            vec!["event_time of row 0", "years 1970"],
        ),
        (
            with("coin", StringArray::from(coins)),
            vec!["coin of row 4", "is empty"],
        ),
        (
            with("price_usd", StringArray::from(vec!["1.0"; 6])),
            vec!["price_usd", "pd.to_numeric"],
        ),
        (
            with("coin", Int64Array::from(vec![1; 6])),
            vec!["coin", "astype(str)"],
        ),
        (
            columns()
                .into_iter()
                .map(|(name, column)| (name, column.slice(0, 0)))
                .collect(),
            vec!["has no rows"],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), columns, Compression::UNCOMPRESSED);
        let message = Recording::open(&path).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
        assert!(
            message.contains("market.parquet") && !message.contains('\n'),
            "{message}"
        );
    }
}

#[test]
fn a_file_that_is_no_recording_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("market.parquet");
    let absent = Recording::open(&path).unwrap_err();
    assert!(absent.source().is_none(), "a command would print it twice");
    let absent = absent.to_string();
    assert!(absent.contains("cannot open the recording"), "{absent}");
    assert!(absent.contains("(os error 2); check the path"), "{absent}");
    std::fs::write(&path, "event_time,coin\n").unwrap();
    let csv = Recording::open(&path).unwrap_err().to_string();
    assert!(
        csv.contains("as Parquet") && csv.contains("to_parquet"),
        "{csv}"
    );
}

/// The Parquet crate divides by zero for one of its pages.
#[test]
fn a_file_that_the_reader_panics_for_is_refused_with_a_sentence() {
    let kept = "../../testing/fuzz/kept/recording/a-page-that-the-reader-divides-by-zero-for";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(kept);
    let said = Recording::open(&path).unwrap_err().to_string();
    assert!(said.contains("the file is damaged"), "{said}");
}
