//! Upkeep in a store, beside a stage that writes and is killed there.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use jiff::Timestamp;
use lake::upkeep::{Upkeep, UpkeepError};
use lake::{AppId, CommitStamp, Lake, TableSpec, Transaction};
use parquet::arrow::ArrowWriter;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::support::*;

const DAY_MS: i64 = 86_400_000;
/// 2025-06-02T00:00Z: the market of the tests goes past it.
const MIDNIGHT_MS: i64 = 1_748_822_400_000;
const MIDNIGHT: &str = "2025-06-02";

/// Upkeep so many days from now: the days that are written are closed, and what others removed before is old.
fn upkeep(days: i64) -> Upkeep {
    Upkeep::at(Timestamp::now().as_millisecond() + days * DAY_MS)
}

/// Keeps a lake in order, again and again.
pub(super) struct Keeper {
    task: JoinHandle<u64>,
    stop: CancellationToken,
}

impl Keeper {
    pub(super) fn start(place: Place) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let keep = async move {
            let mut rewritten = 0;
            while !stopped.is_cancelled() {
                match round(&place.open()).await {
                    Ok(files) => rewritten += files,
                    // The next round finds what is left, as that of `up` does.
                    Err(UpkeepError::Lake(error)) if error.is_transient() => {}
                    Err(error) => panic!("{error}"),
                }
                // Leaves the stage some room on its way.
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            }
            rewritten
        };
        Self {
            task: tokio::spawn(keep),
            stop,
        }
    }

    /// Waits for the end of its round; returns how many files it rewrote.
    pub(super) async fn stops(self) -> u64 {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// Upkeep of all tables, once; the number of files that were rewritten.
async fn round(lake: &Lake) -> Result<u64, UpkeepError> {
    let mut files = 0;
    for table in lake.tables().await? {
        let table = lake.table(&table);
        let kept = upkeep(3).keep(&table).await?;
        files += kept.map_or(0, |kept| kept.optimized.rewritten.files);
        upkeep(3).vacuum(&table).await?;
    }
    Ok(files)
}

/// Does all there is to do to the tables of a stage that has ended: their rows are the same in one file a day, nothing else
/// is left in the store, and the first day expires.
pub(super) async fn puts_in_order(place: &Place) {
    let lake = place.open();
    for name in CLEAN_MADE.layers {
        let table = lake.table(name);
        let rows = rows_in(&lake, name).await;
        let optimized = upkeep(3).optimize(&table).await.unwrap().unwrap();
        assert_eq!(optimized.given_up, None);
        let snapshot = table.snapshot().await.unwrap().unwrap();
        let files: Vec<_> = snapshot.files().iter().collect();
        let days: std::collections::BTreeSet<_> = files.iter().map(|file| &file.date).collect();
        assert_eq!(files.len(), days.len(), "{place:?}: {files:#?}");
        assert!(rows_in(&lake, name).await == rows, "{place:?}: {name}");

        // As a writer to HDFS leaves it.
        let half = format!("{name}/date={MIDNIGHT}/.half.parquet.tmp");
        let created = lake.create(&half, "half".into(), "a test").await;
        created.unwrap();
        let young = upkeep(6).vacuum(&table).await.unwrap().unwrap();
        assert_eq!(young.data.files, 0);
        let clock_ms = Timestamp::now().as_millisecond() + 2 * DAY_MS;
        let old = || upkeep(6).store_at(clock_ms);
        let vacuumed = old().vacuum(&table).await.unwrap().unwrap();
        assert!(
            vacuumed.data.files > optimized.rewritten.files,
            "{vacuumed:?}"
        );
        assert!(vacuumed.log.files > 0, "{vacuumed:?}");
        let again = old().vacuum(&table).await.unwrap().unwrap();
        assert_eq!((again.data.files, again.log.files), (0, 0));
        assert!(lake.read(&half).await.is_err());
        assert!(rows_in(&lake, name).await == rows, "{place:?}: {name}");

        let now_ms = Timestamp::now().as_millisecond();
        let keep = std::time::Duration::from_millis((now_ms - MIDNIGHT_MS).cast_unsigned());
        let expired = Upkeep::at(now_ms).expire(&table, Some(keep)).await;
        let expired = expired.unwrap().unwrap();
        let kept: Vec<String> = rows
            .into_iter()
            .filter(|row| date_of(row).is_none_or(|date| date >= MIDNIGHT))
            .collect();
        assert_eq!(
            expired.before.rows - expired.removed.rows,
            kept.len() as u64
        );
        assert!(rows_in(&lake, name).await == kept, "{place:?}: {name}");
        println!(
            "{}: {name}: {} files to {}, vacuum took {} of data and {} of the log, {} rows expired",
            place.lake,
            optimized.before.files,
            optimized.after.files,
            vacuumed.data.files,
            vacuumed.log.files,
            expired.removed.rows,
        );
    }
}

/// The date of a row of [`rows_in`], which stands before the three columns of its lineage.
fn date_of(row: &str) -> Option<&str> {
    row.rsplit(" | ").nth(3).filter(|date| *date != "null")
}

/// Rewrites files into one that is put in several parts.
pub(super) async fn puts_a_large_file(place: &Place) {
    let table = place.open().table("large");
    let schema = Arc::new(Schema::new(vec![
        Field::new("coin", DataType::Utf8, false),
        Field::new("number", DataType::Int64, false),
    ]));
    let sort = vec!["number".to_owned()];
    let spec = TableSpec::new(&schema, "", sort).unwrap();
    let writer = table.writer(&spec).await.unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut written = Vec::new();
    for part in 0..3 {
        // Text that does not shrink by much.
        let text = |_| {
            let mut bytes = [0; 3 << 10];
            random.fill_bytes(&mut bytes);
            bytes
                .map(|byte| char::from(b' ' + byte % 95))
                .iter()
                .collect()
        };
        let texts: Vec<String> = (0..1500).map(text).collect();
        let numbers: Vec<i64> = (0..1500).map(|i| i * 3 + part).collect();
        let columns: [ArrayRef; 2] = [
            Arc::new(StringArray::from(texts.clone())),
            Arc::new(Int64Array::from(numbers.clone())),
        ];
        written.extend(numbers.into_iter().zip(texts));
        let rows = RecordBatch::try_new(schema.clone(), columns.to_vec()).unwrap();
        let mut file = ArrowWriter::try_new(Vec::new(), schema.clone(), None).unwrap();
        file.write(&rows).unwrap();
        let contents = file.into_inner().unwrap().into();
        let file = table.put("part", Some(MIDNIGHT), contents).await.unwrap();
        let app = AppId {
            stage: "test".to_owned(),
            topic: "large".to_owned(),
            partition: 0,
        };
        let stamp = CommitStamp {
            last_offset: part,
            ..CommitStamp::new(app, "a test")
        };
        let mut transaction = Transaction::append(stamp, vec![file]);
        writer.commit(&mut transaction).await.unwrap();
    }
    written.sort();
    let optimized = upkeep(3).optimize(&table).await.unwrap().unwrap();
    assert_eq!(optimized.written.files, 1);
    // Lake::put_file's parts are of 8 MiB.
    assert!(optimized.written.bytes > 9 << 20, "{optimized:?}");
    let snapshot = table.snapshot().await.unwrap().unwrap();
    let contents = table.lake().read(&snapshot.files()[0].path).await.unwrap();
    let rows = fixtures::rows::in_order(contents);
    assert_eq!(rows.len(), written.len());
    for (row, (number, text)) in rows.into_iter().zip(written) {
        assert_eq!(row[1].1, number.to_string());
        assert!(row[0].1 == text);
    }
}
