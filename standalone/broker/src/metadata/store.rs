//! What the broker must remember besides the log: topics, SmartModules, table formats, consumer offsets.
//!
//! One redb file. A change has been written and synced when the call returns. Changes that wait at the same moment are
//! committed together by one thread, so that many consumers storing offsets share a sync.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use fluvio_protocol::{Decoder, Encoder};
use parking_lot::Mutex;
use redb::{
    Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};
use tokio::sync::oneshot;

/// The protocol version specs are encoded with on disk. Every row carries the one it was written with.
const SPEC_VERSION: i16 = 19;

const TOPICS: TableDefinition<&str, &[u8]> = TableDefinition::new("topics");
const SMART_MODULES: TableDefinition<&str, &[u8]> = TableDefinition::new("smart_modules");
const TABLE_FORMATS: TableDefinition<&str, &[u8]> = TableDefinition::new("table_formats");
/// Topic, partition, consumer to offset and the time it was stored, in seconds since the epoch.
const CONSUMER_OFFSETS: TableDefinition<(&str, u32, &str), (i64, u64)> =
    TableDefinition::new("consumer_offsets");

/// The tables that hold specs by name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Specs {
    /// Topics, with their ids.
    Topics,
    /// SmartModules.
    SmartModules,
    /// Table formats.
    TableFormats,
}

impl Specs {
    fn table(self) -> TableDefinition<'static, &'static str, &'static [u8]> {
        match self {
            Self::Topics => TOPICS,
            Self::SmartModules => SMART_MODULES,
            Self::TableFormats => TABLE_FORMATS,
        }
    }
}

/// Why the store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key-value store failed.
    #[error(
        "the metadata store failed: {0}; check the disk of the data directory; the next change is tried anew"
    )]
    Redb(Arc<redb::Error>),
    /// A row cannot be understood.
    #[error(
        "the metadata store holds a {kind} '{name}' that cannot be read; use the version of Coinlake that wrote it, or choose another data directory"
    )]
    Row {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        source: std::io::Error,
    },
    /// There are logs, but not the store that says whose they are.
    #[error(
        "{} is missing, although there are logs in {}: bring the file back from a copy of the data directory, or choose another \
         data directory; without it the logs would be deleted, as those of topics are that a copy is too old to know", .store.display(), .logs.display()
    )]
    Missing {
        /// The store.
        store: PathBuf,
        /// The folder of the logs.
        logs: PathBuf,
    },
    /// The broker is stopping.
    #[error("the metadata store is closed")]
    Closed,
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Arc::new(error.into()))
    }
}

/// Where a consumer is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The consumer's id.
    pub consumer: String,
    /// The offset of the last record it is done with.
    pub offset: i64,
    /// When it was stored, seconds since the epoch.
    pub modified_secs: u64,
}

type Change = Box<dyn FnOnce(&WriteTransaction) -> Result<(), redb::Error> + Send>;
type Reply = oneshot::Sender<Result<(), StoreError>>;

/// The store's file.
#[derive(Debug)]
struct StoreFile {
    path: PathBuf,
    /// `None` after an error: redb refuses every change after a failed write, also when the disk has space again, until it is opened
    /// anew.
    database: Mutex<Option<Database>>,
}

impl StoreFile {
    fn use_it<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let mut held = self.database.lock();
        let database = match held.take() {
            Some(database) => database,
            None => Database::open(&self.path)?,
        };
        let done = work(&database)?;
        *held = Some(database);
        Ok(done)
    }
}

/// A handle on the store.
#[derive(Debug)]
pub(crate) struct Store {
    file: Arc<StoreFile>,
    changes: Option<mpsc::Sender<(Change, Reply)>>,
    writer: Option<JoinHandle<()>>,
}

/// Creates an empty store under another name and renames it: redb writes last what makes a file one of its own, so a kill before
/// that would leave one that cannot be opened.
fn create(path: &Path) -> Result<(), StoreError> {
    let partial = path.with_extension("partial");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(redb::Error::Io(error).into());
        }
        _ => {}
    }
    drop(Database::create(&partial)?);
    fs::rename(&partial, path).map_err(redb::Error::Io)?;
    // The new name is durable before anything that is acknowledged lies behind it.
    let folder = path.parent().unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(synced.map_err(redb::Error::Io)?)
}

impl Store {
    /// Opens the store in the file at `path`, or creates it where there are no `logs` beside it yet.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            let logs = path.with_file_name("logs");
            if fs::read_dir(&logs).is_ok_and(|mut logs| logs.next().is_some()) {
                let store = path.to_owned();
                return Err(StoreError::Missing { store, logs });
            }
            create(path)?;
        }
        let file = Arc::new(StoreFile {
            path: path.to_owned(),
            database: Mutex::new(Some(Database::open(path)?)),
        });
        let (changes, queue) = mpsc::channel();
        let writer = std::thread::Builder::new()
            .name("broker-store".into())
            .spawn({
                let file = file.clone();
                move || write_changes(&file, &queue)
            })
            .map_err(redb::Error::Io)?;
        Ok(Self {
            file,
            changes: Some(changes),
            writer: Some(writer),
        })
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// All rows of a table of specs, by name.
    pub(crate) fn specs<S: Decoder>(
        &self,
        specs: Specs,
        kind: &'static str,
    ) -> Result<Vec<(String, S)>, StoreError> {
        let read = self.file.use_it(|database| Ok(database.begin_read()?))?;
        let table = match read.open_table(specs.table()) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let mut rows = Vec::new();
        for row in table.iter()? {
            let (name, bytes) = row?;
            let name = name.value().to_owned();
            let spec = decode_row(bytes.value()).map_err(|source| StoreError::Row {
                kind,
                name: name.clone(),
                source,
            })?;
            rows.push((name, spec));
        }
        Ok(rows)
    }

    /// Stores a spec under a name; what had the name is replaced.
    pub(crate) async fn put_spec<S: Encoder>(
        &self,
        specs: Specs,
        name: &str,
        spec: &S,
    ) -> Result<(), StoreError> {
        let name = name.to_owned();
        let bytes = encode_row(spec).map_err(redb::Error::Io)?;
        self.change(move |write| {
            write
                .open_table(specs.table())?
                .insert(name.as_str(), bytes.as_slice())?;
            Ok(())
        })
        .await
    }

    /// Forgets a spec; a topic's consumer offsets too.
    pub(crate) async fn remove_spec(&self, specs: Specs, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.change(move |write| {
            write.open_table(specs.table())?.remove(name.as_str())?;
            if matches!(specs, Specs::Topics) {
                write
                    .open_table(CONSUMER_OFFSETS)?
                    .retain(|(topic, _, _), _| topic != name)?;
            }
            Ok(())
        })
        .await
    }

    /// All consumer offsets.
    pub(crate) fn consumer_offsets(&self) -> Result<Vec<StoredOffset>, StoreError> {
        let read = self.file.use_it(|database| Ok(database.begin_read()?))?;
        let table = match read.open_table(CONSUMER_OFFSETS) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            table => table?,
        };
        let mut offsets = Vec::new();
        for row in table.iter()? {
            let (key, value) = row?;
            let ((topic, partition, consumer), (offset, modified_secs)) =
                (key.value(), value.value());
            offsets.push(StoredOffset {
                topic: topic.to_owned(),
                partition,
                consumer: consumer.to_owned(),
                offset,
                modified_secs,
            });
        }
        Ok(offsets)
    }

    /// Stores where a consumer is.
    pub(crate) async fn put_consumer_offset(&self, stored: StoredOffset) -> Result<(), StoreError> {
        self.change(move |write| {
            let key = (
                stored.topic.as_str(),
                stored.partition,
                stored.consumer.as_str(),
            );
            write
                .open_table(CONSUMER_OFFSETS)?
                .insert(key, (stored.offset, stored.modified_secs))?;
            Ok(())
        })
        .await
    }

    /// Forgets where a consumer is.
    pub(crate) async fn remove_consumer_offset(
        &self,
        topic: String,
        partition: u32,
        consumer: String,
    ) -> Result<(), StoreError> {
        self.change(move |write| {
            write.open_table(CONSUMER_OFFSETS)?.remove((
                topic.as_str(),
                partition,
                consumer.as_str(),
            ))?;
            Ok(())
        })
        .await
    }

    async fn change(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error> + Send + 'static,
    ) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        let changes = self.changes.as_ref().ok_or(StoreError::Closed)?;
        changes
            .send((Box::new(change), reply))
            .map_err(|_| StoreError::Closed)?;
        done.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.changes.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Commits changes until no handle is left, all that wait at once in one transaction.
fn write_changes(file: &StoreFile, queue: &mpsc::Receiver<(Change, Reply)>) {
    while let Ok(first) = queue.recv() {
        let (changes, replies): (Vec<_>, Vec<_>) =
            std::iter::once(first).chain(queue.try_iter()).unzip();
        let outcome = file.use_it(|database| commit(database, changes));
        let outcome = outcome.map_err(Arc::new);
        for reply in replies {
            let _ = reply.send(outcome.clone().map_err(StoreError::Redb));
        }
    }
}

fn commit(database: &Database, changes: Vec<Change>) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    for change in changes {
        change(&write)?;
    }
    write.commit()?;
    Ok(())
}

fn encode_row(spec: &impl Encoder) -> std::io::Result<Vec<u8>> {
    let mut bytes = SPEC_VERSION.to_be_bytes().to_vec();
    spec.encode(&mut bytes, SPEC_VERSION)?;
    Ok(bytes)
}

fn decode_row<S: Decoder>(bytes: &[u8]) -> std::io::Result<S> {
    let (version, mut spec) = bytes
        .split_first_chunk::<2>()
        .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))?;
    S::decode_from(&mut spec, i16::from_be_bytes(*version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_changes_of_a_commit_that_failed_hear_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta.redb");
        create(&path).unwrap();
        let file = StoreFile {
            path: path.clone(),
            database: Mutex::new(Some(Database::open(&path).unwrap())),
        };
        let (changes, queue) = mpsc::channel::<(Change, Reply)>();
        let (refused, other) = (oneshot::channel(), oneshot::channel());
        let disk_full = |_: &WriteTransaction| Err(redb::Error::Io(ErrorKind::StorageFull.into()));
        changes.send((Box::new(disk_full), refused.0)).unwrap();
        changes.send((Box::new(|_| Ok(())), other.0)).unwrap();
        drop(changes);
        write_changes(&file, &queue);
        for mut reply in [refused.1, other.1] {
            let error = reply.try_recv().unwrap().unwrap_err().to_string();
            assert!(
                error.contains("no storage space; check the disk"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn after_a_failed_change_the_next_one_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("meta.redb")).unwrap();
        let disk_full = |_: &WriteTransaction| Err(redb::Error::Io(ErrorKind::StorageFull.into()));
        store.change(disk_full).await.unwrap_err();
        assert!(store.file.database.lock().is_none());
        let stored = StoredOffset {
            topic: "ticks".to_owned(),
            partition: 0,
            consumer: "reader".to_owned(),
            offset: 7,
            modified_secs: 1,
        };
        store.put_consumer_offset(stored.clone()).await.unwrap();
        assert_eq!(store.consumer_offsets().unwrap(), [stored]);
    }

    #[test]
    fn logs_without_their_store_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("logs/crypto-raw.1/0");
        fs::create_dir_all(&log).unwrap();
        let path = folder.path().join("meta.redb");
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.contains("meta.redb is missing"), "{error}");
        assert!(log.is_dir() && !path.exists());
    }

    #[test]
    fn a_store_left_incomplete_by_a_kill_is_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meta.redb");
        fs::write(path.with_extension("partial"), [0; 4096]).unwrap();
        drop(Store::open(&path).unwrap());
        let made = fs::read_dir(folder.path()).unwrap();
        let made: Vec<_> = made.map(|file| file.unwrap().path()).collect();
        assert_eq!(made, std::slice::from_ref(&path));
        drop(Store::open(&path).unwrap());
    }
}
