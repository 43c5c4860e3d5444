//! Tables of ticks for the tests.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use lake::{AppId, CommitStamp, Lake, Snapshot, Table, TableSpec, TableWriter, Transaction};
use parquet::arrow::ArrowWriter;

/// 2025-06-01T00:00:00Z in milliseconds.
pub(crate) const JUNE: i64 = 1_748_736_000_000;
pub(crate) const DAY_MS: i64 = 86_400_000;

/// One tick an offset, a minute apart.
pub(crate) fn batch(offsets: std::ops::Range<i64>) -> RecordBatch {
    let offsets: Vec<i64> = offsets.collect();
    let coins = offsets
        .iter()
        .map(|offset| ["bitcoin", "solana"][*offset as usize % 2]);
    let times = offsets.iter().map(|offset| (JUNE + offset * 60_000) * 1000);
    let prices = offsets
        .iter()
        .map(|offset| (offset % 7 != 0).then_some(*offset as f64 / 4.0));
    let columns: [(&str, ArrayRef, bool); 4] = [
        (
            "coin",
            Arc::new(StringArray::from_iter_values(coins)),
            false,
        ),
        (
            "event_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            false,
        ),
        ("price", Arc::new(prices.collect::<Float64Array>()), true),
        (
            "source_offset",
            Arc::new(Int64Array::from(offsets.clone())),
            false,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

pub(crate) fn parquet(batch: &RecordBatch) -> Bytes {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

pub(crate) fn spec() -> TableSpec {
    let sort = vec!["coin".to_owned(), "event_time".to_owned()];
    TableSpec::new(&batch(0..0).schema(), "ticks of the tests", sort).unwrap()
}

pub(crate) fn open(folder: &Path) -> Table {
    let lake = Lake::open_str(folder.to_str().unwrap(), []).unwrap();
    lake.table("ticks")
}

pub(crate) fn app(partition: u32) -> AppId {
    AppId {
        stage: "stage-ticks".to_owned(),
        topic: "crypto-ticks".to_owned(),
        partition,
    }
}

pub(crate) fn stamp(partition: u32, offsets: &std::ops::Range<i64>) -> CommitStamp {
    CommitStamp {
        first_offset: offsets.start,
        last_offset: offsets.end - 1,
        committed_at_ms: JUNE + offsets.end * 60_000,
        ..CommitStamp::new(app(partition), "run-1")
    }
}

/// Puts a file and makes its entry.
pub(crate) async fn commit(
    writer: &TableWriter,
    partition: u32,
    offsets: std::ops::Range<i64>,
) -> u64 {
    let contents = parquet(&batch(offsets.clone()));
    let day = JUNE / DAY_MS + offsets.start / 1440;
    let date = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day);
    let file = writer
        .table()
        .put("ticks", Some(&date.to_string()), contents)
        .await
        .unwrap();
    let mut transaction = Transaction::append(stamp(partition, &offsets), vec![file]);
    writer.commit(&mut transaction).await.unwrap()
}

/// The offsets of all rows, ascending.
pub(crate) async fn offsets(snapshot: &Snapshot) -> Vec<i64> {
    let mut offsets = Vec::new();
    for file in snapshot.files() {
        let rows = snapshot
            .table()
            .lake()
            .rows(&file.path)
            .await
            .unwrap()
            .build()
            .unwrap();
        for batch in rows.try_collect::<Vec<_>>().await.unwrap() {
            offsets.extend_from_slice(batch["source_offset"].as_primitive::<Int64Type>().values());
        }
    }
    offsets.sort_unstable();
    offsets
}
