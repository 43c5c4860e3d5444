//! Entries on a store that errs: each is made once all the same.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use parking_lot::Mutex;

use super::handle::Table;
use super::spec::TableSpec;
use super::stamp::{AppId, CommitStamp};
use super::transaction::Transaction;
use super::writer::{CommitError, TableWriter};
use crate::durable::Created;
use crate::lake::Lake;
use crate::log::action::{self, Action, Add};
use crate::upkeep::Upkeep;

/// What goes wrong with the next creations of files.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done, and an error says so.
    Refused,
    /// It is not done, and the store says that the name is taken: S3's 409 while another request is under way.
    TakenByNobody,
    /// The store does not know the condition, and replaces what is there.
    ConditionIgnored,
}

#[derive(Debug, Default)]
struct Faulty {
    store: InMemory,
    faults: Mutex<Vec<Fault>>,
    /// Whether no file can be put.
    is_full: AtomicBool,
    /// Whether listings fail.
    listings_fail: AtomicBool,
    /// The next listing misses this file.
    missed: Mutex<Option<String>>,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

/// Nobody may look into this folder.
const LOCKED: &str = "lost+found";

fn failed() -> Error {
    Error::Generic {
        store: "faulty",
        source: "the connection broke".into(),
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        to: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(Error::Generic {
                store: "faulty",
                source: "XMinioStorageFull".into(),
            });
        }
        let fault = match options.mode {
            PutMode::Create => self.faults.lock().pop(),
            _ => None,
        };
        match fault {
            None => self.store.put_opts(to, payload, options).await,
            Some(Fault::AnswerLost) => {
                self.store.put_opts(to, payload, options).await?;
                Err(failed())
            }
            Some(Fault::Refused) => Err(failed()),
            Some(Fault::TakenByNobody) => Err(Error::AlreadyExists {
                path: to.to_string(),
                source: "409".into(),
            }),
            Some(Fault::ConditionIgnored) => {
                self.store
                    .put_opts(to, payload, PutOptions::default())
                    .await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.listings_fail.load(Ordering::Relaxed) {
            return stream::once(async { Err(failed()) }).boxed();
        }
        let missed = self.missed.lock().take();
        let found = self.store.list(prefix).filter(move |file| {
            let is_missed = |file: &ObjectMeta| Some(file.location.as_ref()) == missed.as_deref();
            std::future::ready(!file.as_ref().is_ok_and(is_missed))
        });
        found.boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if prefix.is_some_and(|folder| folder.as_ref() == LOCKED) {
            return Err(Error::PermissionDenied {
                path: LOCKED.to_owned(),
                source: "only root may".into(),
            });
        }
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

fn stamp(partition: u32, last_offset: i64) -> CommitStamp {
    let app = AppId {
        stage: "s".to_owned(),
        topic: "t".to_owned(),
        partition,
    };
    CommitStamp {
        last_offset,
        ..CommitStamp::new(app, "run")
    }
}

fn transaction(partition: u32, last_offset: i64) -> Transaction {
    Transaction::append(stamp(partition, last_offset), Vec::new())
}

async fn opened() -> (Arc<Faulty>, Table, TableWriter) {
    let store = Arc::new(Faulty::default());
    let lake = Lake::on_store(store.clone());
    let table = lake.table("ticks");
    let spec = TableSpec::default();
    let writer = table.writer(&spec).await.unwrap();
    (store, table, writer)
}

async fn last_offsets(table: &Table) -> (u64, Vec<i64>) {
    let snapshot = table.snapshot().await.unwrap().unwrap();
    let stamps = snapshot.stamps().iter();
    (
        snapshot.version(),
        stamps.map(|stamp| stamp.last_offset).collect(),
    )
}

#[tokio::test]
async fn an_entry_whose_answer_was_lost_is_made_once() {
    let (store, table, writer) = opened().await;
    let mut first = transaction(0, 9);
    store.faults.lock().push(Fault::AnswerLost);
    let error = writer.commit(&mut first).await.unwrap_err();
    assert!(matches!(error, CommitError::Lake(_)), "{error}");
    // Another partition goes on meanwhile, and takes the next number.
    assert_eq!(writer.commit(&mut transaction(1, 5)).await.unwrap(), 2);
    assert_eq!(writer.commit(&mut first).await.unwrap(), 1);
    assert_eq!(writer.commit(&mut transaction(0, 19)).await.unwrap(), 3);
    assert_eq!(last_offsets(&table).await, (3, vec![19, 5]));
}

#[tokio::test]
async fn an_entry_that_was_refused_is_made_at_the_second_attempt() {
    let (store, table, writer) = opened().await;
    let mut first = transaction(0, 9);
    store.faults.lock().push(Fault::Refused);
    writer.commit(&mut first).await.unwrap_err();
    assert_eq!(writer.commit(&mut transaction(1, 5)).await.unwrap(), 1);
    assert_eq!(writer.commit(&mut first).await.unwrap(), 2);
    assert_eq!(last_offsets(&table).await, (2, vec![9, 5]));
}

#[tokio::test]
async fn a_number_that_nobody_took_leaves_no_hole() {
    let (store, table, writer) = opened().await;
    store.faults.lock().extend([Fault::TakenByNobody; 3]);
    assert_eq!(writer.commit(&mut transaction(0, 9)).await.unwrap(), 1);
    store.faults.lock().extend([Fault::TakenByNobody; 20]);
    let mut second = transaction(0, 19);
    let error = writer.commit(&mut second).await.unwrap_err();
    assert!(
        matches!(&error, CommitError::Lake(error) if error.is_transient()),
        "{error}"
    );
    store.faults.lock().clear();
    assert_eq!(writer.commit(&mut second).await.unwrap(), 2);
    assert_eq!(last_offsets(&table).await, (2, vec![19]));
}

#[tokio::test]
async fn a_restart_after_a_lost_answer_sees_the_entry() {
    let (store, table, writer) = opened().await;
    store.faults.lock().push(Fault::AnswerLost);
    writer.commit(&mut transaction(0, 9)).await.unwrap_err();
    // A new attempt that does not know of it is told so, not led past it.
    let error = writer.commit(&mut transaction(0, 12)).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Overtaken { version: 1, .. }),
        "{error}"
    );
    let found = writer.stamp(&stamp(0, 0).app).await.unwrap().unwrap();
    assert_eq!(found.last_offset, 9);
    assert_eq!(writer.commit(&mut transaction(0, 12)).await.unwrap(), 2);
    assert_eq!(last_offsets(&table).await, (2, vec![12]));
}

/// Another program's entry has no totals of ours: only the whole log tells them.
#[tokio::test]
async fn totals_are_right_after_a_failed_read_of_anothers_entry() {
    let (store, table, writer) = opened().await;
    let theirs = Action::Add(Add {
        path: "theirs.parquet".to_owned(),
        size: 100,
        stats: Some(r#"{"numRecords":7}"#.to_owned()),
        data_change: true,
        ..Add::default()
    });
    let lines = Bytes::from(action::to_lines(&[theirs]));
    let created = table.log().create(1, lines, "theirs").await.unwrap();
    assert_eq!(created, Created::New);

    let mut ours = transaction(0, 9);
    store.listings_fail.store(true, Ordering::Relaxed);
    let error = writer.commit(&mut ours).await.unwrap_err();
    assert!(matches!(error, CommitError::Lake(_)), "{error}");
    store.listings_fail.store(false, Ordering::Relaxed);
    assert_eq!(writer.commit(&mut ours).await.unwrap(), 2);
    let snapshot = table.snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.rows(), snapshot.bytes()), (7, 100));
    assert_eq!(table.summary().await.unwrap(), Some(snapshot.summary()));
}

/// A local folder is listed while entries are made: one of them may be missing, and the next be there.
#[tokio::test]
async fn a_listing_may_miss_an_entry_that_is_there() {
    let (store, table, writer) = opened().await;
    for offset in 0..3 {
        writer.commit(&mut transaction(0, offset)).await.unwrap();
    }
    *store.missed.lock() = Some(table.log().path(2));
    assert_eq!(table.snapshot().await.unwrap().unwrap().version(), 3);
    store
        .delete(&Path::from(table.log().path(2)))
        .await
        .unwrap();
    let error = table.snapshot().await.err().unwrap().to_string();
    assert!(
        error.contains("is missing, and no checkpoint covers it"),
        "{error}"
    );
}

/// As in a copy that was made while the table was written to: `_last_checkpoint` was copied after the checkpoints.
#[tokio::test]
async fn a_last_checkpoint_that_is_not_there_hides_none_that_is() {
    let (store, table, writer) = opened().await;
    for offset in 0..3 {
        writer.commit(&mut transaction(0, offset)).await.unwrap();
    }
    let log = table.log();
    let state = log.load().await.unwrap().unwrap();
    log.write_checkpoint(&state, 0).await.unwrap();
    for version in 0..3 {
        store.delete(&Path::from(log.path(version))).await.unwrap();
    }
    let last = Path::from("ticks/_delta_log/_last_checkpoint");
    let json = r#"{"version":5,"size":9}"#;
    store.put(&last, json.into()).await.unwrap();
    let mut summaries = Vec::new();
    for version in 3..7 {
        let snapshot = table.snapshot().await.unwrap().unwrap();
        assert_eq!(snapshot.version(), version);
        let summary = table.summary().await.unwrap();
        summaries.extend(summary.map(|table| table.version));
        let mut next = transaction(0, snapshot.stamps()[0].last_offset + 1);
        writer.commit(&mut next).await.unwrap();
    }
    assert_eq!(summaries, [3, 4, 5, 6]);
}

/// Such as of ext4, where the lake is the root of a volume.
#[tokio::test]
async fn a_folder_of_the_file_system_hides_no_table() {
    let (store, table, _) = opened().await;
    for folder in [LOCKED, "_tmp", ".snapshot"] {
        let file = Path::from(format!("{folder}/_delta_log/file"));
        store.put(&file, "".into()).await.unwrap();
    }
    let tables = table.lake().tables().await;
    assert_eq!(tables.unwrap(), ["ticks"]);
}

/// What its writer has read since does not make them rows of the new columns.
#[tokio::test]
async fn rows_of_former_columns_are_refused_at_the_second_attempt_too() {
    let store = Arc::new(Faulty::default());
    let table = Lake::on_store(store.clone()).table("ticks");
    let schema = Arc::new(Schema::new(vec![Field::new(
        "price",
        DataType::Int64,
        true,
    )]));
    let spec = TableSpec::new(&schema, "ticks", Vec::new()).unwrap();
    let writer = table.writer(&spec).await.unwrap();
    let mut ours = transaction(0, 9);
    store.faults.lock().push(Fault::Refused);
    writer.commit(&mut ours).await.unwrap_err();

    let mut theirs = writer.metadata().await;
    theirs.schema_string = theirs.schema_string.replace("\"long\"", "\"string\"");
    let lines = Bytes::from(action::to_lines(&[Action::MetaData(theirs)]));
    table.log().create(1, lines, "theirs").await.unwrap();
    writer.stamp(&stamp(0, 0).app).await.unwrap();
    let error = writer.commit(&mut ours).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Conflict { version: 1, .. }),
        "{error}"
    );
    // The next transaction's are of the former columns, too.
    let error = writer.commit(&mut transaction(0, 19)).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Conflict { version: 1, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn rows_of_a_column_that_came_with_their_writer_are_refused_too() {
    let table = Lake::on_store(Arc::new(Faulty::default())).table("ticks");
    let spec = |names: &[&str]| {
        let fields = names
            .iter()
            .map(|name| Field::new(*name, DataType::Int64, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        TableSpec::new(&schema, "ticks", Vec::new()).unwrap()
    };
    table.writer(&spec(&["price"])).await.unwrap();
    let writer = table.writer(&spec(&["price", "rank"])).await.unwrap();
    let mut theirs = writer.metadata().await;
    let column = r#""name":"rank","type":"long""#;
    assert!(theirs.schema_string.contains(column));
    let other = column.replace("long", "string");
    theirs.schema_string = theirs.schema_string.replace(column, &other);
    let lines = Bytes::from(action::to_lines(&[Action::MetaData(theirs)]));
    table.log().create(2, lines, "theirs").await.unwrap();
    let error = writer.commit(&mut transaction(0, 9)).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Conflict { version: 2, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_store_that_ignores_the_condition_is_refused_at_the_start() {
    let store = Arc::new(Faulty::default());
    store.faults.lock().extend([Fault::ConditionIgnored; 9]);
    let table = Lake::on_store(store.clone()).table("ticks");
    let error = table
        .writer(&TableSpec::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("If-None-Match"), "{error}");
    assert!(table.snapshot().await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_store_is_vacuumed() {
    let (store, table, writer) = opened().await;
    writer.commit(&mut transaction(0, 9)).await.unwrap();
    store.is_full.store(true, Ordering::Relaxed);
    let upkeep = Upkeep::at(Timestamp::now().as_millisecond());
    let vacuumed = upkeep.vacuum(&table).await.unwrap().unwrap();
    assert_eq!((vacuumed.data.files, vacuumed.log.files), (0, 0));
}
