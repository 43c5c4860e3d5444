//! Upkeep while stages write and people read, and killed at any step.

mod broken;
mod crash;
mod import;
mod scale;
mod temporary;
mod vacuum;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures_util::TryStreamExt;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use super::*;
use crate::{
    AppId, CommitStamp, Lake, LakeUrl, NewFile, Snapshot, Table, TableSpec, TableWriter,
    Transaction, parquet_properties,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2025-06-02T00:00:00Z.
const MIDNIGHT: i64 = 1_748_822_400_000;
const COINS: [&str; 3] = ["bitcoin", "ethereum", "solana"];

/// A row: coin, time in milliseconds, offset in the input.
type Row = (String, i64, i64);

/// A table that a stage writes, with what was written.
struct Fixture {
    folder: TempDir,
    lake: Lake,
    table: Table,
    writer: TableWriter,
    next_offset: i64,
    written: Vec<Row>,
}

impl Fixture {
    async fn new() -> Self {
        Self::new_in(tempfile::tempdir().unwrap()).await
    }

    async fn new_in(folder: TempDir) -> Self {
        let lake = Lake::open_str(folder.path().to_str().unwrap(), []).unwrap();
        let table = lake.table("ticks");
        let sort = vec!["coin".to_owned(), "event_time".to_owned()];
        let spec = TableSpec::new(&schema(), "ticks", sort).unwrap();
        let writer = table.writer(&spec).await.unwrap();
        Self {
            folder,
            lake,
            table,
            writer,
            next_offset: 0,
            written: Vec::new(),
        }
    }

    /// A commit at `now_ms` of one tick of each coin at `event_ms`.
    async fn commit(&mut self, event_ms: i64, now_ms: i64) {
        let rows = self.commit_of(&COINS, event_ms, now_ms).await;
        self.written.extend(rows);
    }

    async fn commit_of<C: ToString>(
        &mut self,
        coins: &[C],
        event_ms: i64,
        now_ms: i64,
    ) -> Vec<Row> {
        let rows = coins.iter().rev().zip(self.next_offset..);
        let rows: Vec<Row> = rows
            .map(|(coin, offset)| (coin.to_string(), event_ms, offset))
            .collect();
        self.next_offset += i64::try_from(rows.len()).unwrap();
        let file = put(&self.table, &rows, now_ms).await;
        let stamp = stamp(0, self.next_offset - 1, now_ms);
        let mut transaction = Transaction::append(stamp, vec![file]);
        self.writer.commit(&mut transaction).await.unwrap();
        rows
    }

    /// A commit a minute.
    async fn minutes(&mut self, from_ms: i64, minutes: i64) {
        for minute in 0..minutes {
            let at = from_ms + minute * MINUTE_MS;
            self.commit(at, at).await;
        }
    }

    async fn snapshot(&self) -> Snapshot {
        self.table.snapshot().await.unwrap().unwrap()
    }

    /// Asserts that the table holds what was written.
    async fn check(&self) {
        let snapshot = self.snapshot().await;
        let mut rows = rows(&snapshot).await;
        let mut written = self.written.clone();
        rows.sort();
        written.sort();
        assert_eq!(rows, written);
        let summary = self.table.summary().await.unwrap().unwrap();
        assert_eq!(summary, snapshot.summary());
        if self.next_offset > 0 {
            let stamp = snapshot.stamp("topic", 0).unwrap();
            assert_eq!(stamp.last_offset, self.next_offset - 1);
        }
    }
}

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let kinds = DataType::List(Arc::new(Field::new("element", DataType::Utf8, false)));
    Arc::new(Schema::new(vec![
        Field::new("coin", DataType::Utf8, false),
        Field::new("event_time", time, false),
        Field::new("kinds", kinds, true),
        Field::new("price", DataType::Float64, false),
        Field::new("source_offset", DataType::Int64, false),
    ]))
}

async fn put(table: &Table, rows: &[Row], now_ms: i64) -> NewFile {
    let coins: StringArray = rows.iter().map(|row| Some(row.0.as_str())).collect();
    let times = rows.iter().map(|row| row.1 * 1000).collect::<Vec<_>>();
    let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
    let offsets: Int64Array = rows.iter().map(|row| row.2).collect::<Vec<_>>().into();
    let mut kinds =
        arrow_array::builder::ListBuilder::new(arrow_array::builder::StringBuilder::new())
            .with_field(Field::new("element", DataType::Utf8, false));
    for row in rows {
        match row.2 % 3 {
            0 => kinds.append_null(),
            n => kinds.append_value((0..n).map(|_| Some("price_spike"))),
        }
    }
    let kinds: ListArray = kinds.finish();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(coins),
        Arc::new(times),
        Arc::new(kinds),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(price))),
        Arc::new(offsets),
    ];
    let batch = RecordBatch::try_new(schema(), columns).unwrap();
    let properties = parquet_properties(&schema(), ["coin"]).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    let date = plan::date_of(rows[0].1);
    let contents = writer.into_inner().unwrap().into();
    let file = table.put("topic-0", date.as_deref(), contents).await;
    NewFile {
        added_ms: now_ms,
        ..file.unwrap()
    }
}

/// Of a row: as hard to compress as a real one.
fn price(row: &Row) -> f64 {
    (row.2 as f64 * 0.618_033_988_749_895).fract()
}

fn stamp(partition: u32, last_offset: i64, now_ms: i64) -> CommitStamp {
    let app = AppId {
        stage: "stage".to_owned(),
        topic: "topic".to_owned(),
        partition,
    };
    CommitStamp {
        last_offset,
        committed_at_ms: now_ms,
        ..CommitStamp::new(app, "run")
    }
}

/// All rows of a snapshot, in the order of its files.
async fn rows(snapshot: &Snapshot) -> Vec<Row> {
    let mut rows = Vec::new();
    for file in snapshot.files() {
        rows.extend(rows_of(snapshot, &file.path).await);
    }
    rows
}

async fn rows_of(snapshot: &Snapshot, path: &str) -> Vec<Row> {
    let lake = snapshot.table().lake();
    let batches = lake.rows(path).await.unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(batch.schema().fields(), schema().fields());
        let coins = batch["coin"].as_string::<i32>();
        let times = batch["event_time"].as_primitive::<TimestampMicrosecondType>();
        let offsets = batch["source_offset"].as_primitive::<Int64Type>();
        let kinds = batch["kinds"].as_list::<i32>();
        let prices = batch["price"].as_primitive::<Float64Type>();
        for i in 0..batch.num_rows() {
            let offset = offsets.value(i);
            let length = (offset % 3 != 0).then(|| i32::try_from(offset % 3).unwrap());
            assert_eq!(
                (!arrow_array::Array::is_null(kinds, i)).then(|| kinds.value_length(i)),
                length
            );
            let row = (coins.value(i).to_owned(), times.value(i) / 1000, offset);
            assert_eq!(prices.value(i), price(&row));
            rows.push(row);
        }
    }
    rows
}

fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(folder, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[tokio::test]
async fn minutes_become_hours_and_hours_a_sorted_day() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 130).await;
    let upkeep = Upkeep::at(MIDNIGHT + 130 * MINUTE_MS);
    let planned = upkeep.clone().dry_run(true).optimize(&fixture.table).await;
    let planned = planned.unwrap().unwrap();
    assert_eq!((planned.planned.files, planned.rewritten.files), (120, 0));
    let report = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
    assert_eq!((report.rewritten.files, report.written.files), (120, 1));
    assert_eq!(report.rewritten, planned.planned);
    assert_eq!((report.before.files, report.after.files), (130, 11));
    assert_eq!(report.before.rows, report.after.rows);
    fixture.check().await;

    let upkeep = Upkeep::at(MIDNIGHT + DAY_MS);
    let report = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
    assert_eq!(report.after.files, 1);
    fixture.check().await;
    let snapshot = fixture.snapshot().await;
    let rows = rows(&snapshot).await;
    assert!(rows.is_sorted_by(|a, b| (&a.0, a.1) <= (&b.0, b.1)));
    let file = &snapshot.files()[0];
    assert_eq!(file.sorted_by(), Some("coin,event_time"));
    assert_eq!(file.added_ms, MIDNIGHT + 129 * MINUTE_MS);
    assert_eq!(file.bounds("source_offset"), Some((0, 389)));
    let metadata = fixture.lake.metadata(&file.path).await.unwrap();
    let bloom = |i: usize| metadata.row_group(0).column(i).bloom_filter_offset();
    assert!(bloom(0).is_some() && bloom(1).is_none());
    // Nothing is left to do.
    let report = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
    assert_eq!(report.rewritten, Extent::default());
    let entries = fixture.table.history(1).await.unwrap().unwrap();
    assert_eq!(entries[0].operation, "OPTIMIZE");
    assert_eq!((entries[0].added_rows, entries[0].rows), (390, Some(390)));
    // Those since the third newest, and of no time.
    let all = fixture.table.history(1_000).await.unwrap().unwrap();
    let late = fixture.table.history_since(all[2].at_ms).await.unwrap();
    assert_eq!(late, all[..3]);
    let none = fixture.table.history_since(all[0].at_ms + 1);
    assert!(none.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_table_of_another_program_is_left_alone() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 5).await;
    let log = fixture.folder.path().join("ticks/_delta_log");
    let entry = log.join("00000000000000000000.json");
    let text = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, text.replace("coinlake.sort", "another.sort")).unwrap();
    let upkeep = Upkeep::at(MIDNIGHT + 2 * DAY_MS).store_at(MIDNIGHT + 3 * DAY_MS);
    assert_eq!(upkeep.keep(&fixture.table).await.unwrap(), None);
    assert!(upkeep.vacuum(&fixture.table).await.unwrap().is_none());
    fixture.check().await;
}

#[tokio::test]
async fn a_file_is_merged_if_it_is_what_the_log_says_or_the_log_does_not_say() {
    let counts = [
        ("", 3),
        (r#"\"numRecords\":3,"#, 3),
        (r#"\"numRecords\":4,"#, 4),
    ];
    for (count, counted) in counts {
        let mut fixture = Fixture::new().await;
        fixture.minutes(MIDNIGHT, 5).await;
        let entry = fixture.folder.path().join("ticks/_delta_log");
        let entry = entry.join("00000000000000000003.json");
        let text = std::fs::read_to_string(&entry).unwrap();
        let edited = text.replacen(r#"\"numRecords\":3,"#, count, 1);
        assert_eq!(edited == text, counted == 3 && !count.is_empty());
        std::fs::write(&entry, edited).unwrap();
        let upkeep = Upkeep::at(MIDNIGHT + 2 * DAY_MS);
        let optimized = upkeep.optimize(&fixture.table).await;
        let files = fixture.snapshot().await.files().len();
        if counted == 3 {
            assert_eq!(optimized.unwrap().unwrap().written.rows, 15);
            assert_eq!(files, 1);
            fixture.check().await;
        } else {
            let error = optimized.unwrap_err().to_string();
            assert!(
                error.contains("holds 3 rows where the table's log says 4"),
                "{error}"
            );
            assert!(error.contains("ticks/date="), "{error}");
            assert_eq!(files, 5);
            let mut days = std::fs::read_dir(fixture.folder.path().join("ticks"))
                .unwrap()
                .map(|day| day.unwrap().path());
            let day = days.find(|day| !day.ends_with("_delta_log")).unwrap();
            assert_eq!(std::fs::read_dir(day).unwrap().count(), 5, "nothing is put");
        }
    }
}

#[tokio::test]
async fn a_reader_opens_few_entries_of_the_log() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 75).await;
    let since = async || fixture.snapshot().await.entries_since_checkpoint();
    assert_eq!(since().await, 75);
    let upkeep = Upkeep::at(MIDNIGHT + 75 * MINUTE_MS);
    for _ in 0..2 {
        upkeep.optimize(&fixture.table).await.unwrap();
        assert_eq!(since().await, 0);
    }
    fixture.check().await;
    for (minute, entries, left) in [(75, 4, 4), (79, 1, 0)] {
        let at = MIDNIGHT + minute * MINUTE_MS;
        fixture.minutes(at, entries).await;
        upkeep.optimize(&fixture.table).await.unwrap();
        assert_eq!(fixture.snapshot().await.entries_since_checkpoint(), left);
    }
}

#[tokio::test]
async fn whoever_follows_a_table_keeps_no_removed_files_of_days_ago() {
    let mut fixture = Fixture::new().await;
    let mut followed = fixture.snapshot().await;
    for day in 0..5 {
        for hour in [0, 8, 16] {
            let at = MIDNIGHT + day * DAY_MS + hour * HOUR_MS;
            fixture.minutes(at, 4).await;
            let upkeep = Upkeep::at(at + HOUR_MS);
            let merged = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
            assert!(merged.rewritten.files >= 4);
            followed.refresh().await.unwrap();
            let fresh = fixture.snapshot().await;
            assert_eq!(followed.files(), fresh.files());
            let removed = |snapshot: &Snapshot| snapshot.tombstones().count();
            assert!(removed(&followed) <= removed(&fresh));
            assert!((4..20).contains(&removed(&followed)));
        }
    }
}

#[tokio::test]
async fn a_file_is_no_larger_than_the_full_size() {
    let mut fixture = Fixture::new().await;
    let mut random = 1_u64;
    for commit in 0..20 {
        let row = |i: i64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = MIDNIGHT + (random >> 40) as i64;
            (format!("coin-{random:016x}"), at, i)
        };
        let rows: Vec<Row> = (commit * 5_000..(commit + 1) * 5_000).map(row).collect();
        let file = put(&fixture.table, &rows, MIDNIGHT).await;
        let mut transaction = Transaction::append(stamp(0, rows[4_999].2, 0), vec![file]);
        fixture.writer.commit(&mut transaction).await.unwrap();
        fixture.written.extend(rows);
    }
    fixture.next_offset = 100_000;
    let full = 500_000;
    let upkeep = Upkeep::at(MIDNIGHT + 2 * DAY_MS).file_bytes(Some(full));
    while upkeep
        .optimize(&fixture.table)
        .await
        .unwrap()
        .unwrap()
        .rewritten
        .files
        > 0
    {}
    fixture.check().await;
    let snapshot = fixture.snapshot().await;
    assert!(snapshot.files().iter().all(|file| file.bytes <= full));
    assert!(snapshot.bytes() / snapshot.files().len() as u64 > full / 2);
    // They follow each other.
    let mut files: Vec<Vec<Row>> = Vec::new();
    for file in snapshot.files() {
        files.push(rows_of(&snapshot, &file.path).await);
    }
    assert!(
        files
            .iter()
            .all(|rows| rows.is_sorted_by(|a, b| (&a.0, a.1) <= (&b.0, b.1)))
    );
}

#[tokio::test]
async fn rows_of_before_a_column_came_are_null_in_it() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 3).await;
    let mut fields: Vec<Field> = schema()
        .fields()
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    fields.push(Field::new("rank", DataType::Int64, true));
    let spec = TableSpec::new(&Arc::new(Schema::new(fields)), "", Vec::new()).unwrap();
    fixture.table.writer(&spec).await.unwrap();
    let upkeep = Upkeep::at(MIDNIGHT + 2 * DAY_MS);
    let report = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
    assert_eq!((report.after.files, report.after.rows), (1, 9));
    let path = fixture.snapshot().await.files()[0].path.clone();
    let batches = fixture.lake.rows(&path).await.unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    assert_eq!(batches[0]["rank"].null_count(), 9);
}
