//! A layer's file, from its first row to its place in the lake.
//!
//! Always true: [`OpenFile`] takes rows, [`SealedFile`] is complete and nowhere yet, [`CommittedFile`] is in the lake and
//! durable. Each is made only by consuming the one before. A file is built in memory, compressed as it grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use tokio::task::JoinHandle;

use crate::schema::LayerSchema;
use lake::{Created, FileName, FileStamp, Lake, LakeError};

type Encoder = Box<ArrowWriter<Vec<u8>>>;

/// A file that takes rows. Encoding runs beside the caller, one batch at a time.
#[derive(Debug)]
pub struct OpenFile {
    schema: Arc<LayerSchema>,
    name: FileName,
    /// Days from 1970-01-01 to the `date` of the first row.
    day: i32,
    /// Compressed so far, and what waits in the encoder.
    bytes: Arc<AtomicU64>,
    rows: u64,
    encoding: JoinHandle<Result<Encoder, String>>,
}

impl OpenFile {
    /// An empty file; `name` is that of its first row (or of the first input it covers, when it stays empty).
    pub fn new(schema: Arc<LayerSchema>, name: FileName, day: i32) -> Self {
        let (arrow, properties) = (schema.arrow.clone(), schema.properties.clone());
        let encoding = tokio::task::spawn_blocking(move || {
            let writer = ArrowWriter::try_new(Vec::new(), arrow, Some(properties));
            writer.map(Box::new).map_err(|e| e.to_string())
        });
        Self {
            schema,
            name,
            day,
            bytes: Arc::default(),
            rows: 0,
            encoding,
        }
    }

    /// The day of its first row.
    pub fn day(&self) -> i32 {
        self.day
    }

    /// About how large the file is by now; lags one batch behind.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a batch; waits while the one before is being encoded.
    ///
    /// # Errors
    /// A bug of ours or of the Parquet library: batches have the file's schema.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), FileError> {
        let mut encoder = finished(&mut self.encoding).await?;
        let bytes = self.bytes.clone();
        self.rows += batch.num_rows() as u64;
        self.encoding = tokio::task::spawn_blocking(move || {
            encoder.write(&batch).map_err(|e| e.to_string())?;
            let size = encoder.bytes_written() + encoder.in_progress_size();
            bytes.store(size as u64, Ordering::Relaxed);
            Ok(encoder)
        });
        Ok(())
    }

    /// Completes the file, with this stamp (and its layer's schema version).
    ///
    /// # Errors
    /// A bug of ours or of the Parquet library.
    pub async fn seal(mut self, stamp: &FileStamp) -> Result<(SealedFile, FileStamp), FileError> {
        let mut encoder = finished(&mut self.encoding).await?;
        let mut stamp = stamp.clone();
        stamp.schema_version = self.schema.layer.schema_version;
        let metadata = stamp.to_metadata();
        let mut sealing = tokio::task::spawn_blocking(move || {
            encoder.append_key_value_metadata(metadata);
            encoder.into_inner().map_err(|e| e.to_string())
        });
        let contents = finished(&mut sealing).await?;
        let path = format!(
            "{}/date={}/{}",
            self.schema.name(),
            date(self.day),
            self.name
        );
        let sealed = SealedFile {
            path,
            layer: self.schema.name().to_owned(),
            rows: self.rows,
            contents: Bytes::from(contents),
        };
        Ok((sealed, stamp))
    }
}

async fn finished<T>(task: &mut JoinHandle<Result<T, String>>) -> Result<T, FileError> {
    match task.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(reason)) => Err(FileError(reason)),
        Err(e) => Err(FileError(e.to_string())),
    }
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01.
pub fn date(day: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    match epoch.checked_add(jiff::Span::new().days(day.clamp(-700_000, 2_900_000))) {
        Ok(date) => date.to_string(),
        Err(_) => "9999-12-31".to_owned(),
    }
}

/// The day of `YYYY-MM-DD`, counted from 1970-01-01.
pub fn day_of(date: &str) -> Option<i32> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let days = date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days();
    Some(days)
}

/// A Parquet file could not be built.
#[derive(Debug, thiserror::Error)]
#[error("building a Parquet file failed, which is a bug: {0}")]
pub struct FileError(String);

/// A complete file that is nowhere yet. Cheap to clone: trying again needs it.
#[derive(Debug, Clone)]
pub struct SealedFile {
    path: String,
    layer: String,
    rows: u64,
    contents: Bytes,
}

/// Proof that a file is in the lake, durable.
#[derive(Debug)]
#[must_use = "the position moves only in exchange for this"]
pub struct CommittedFile {
    /// Relative to the lake.
    pub path: String,
    /// Whose file it is.
    pub layer: String,
    /// How many rows it holds.
    pub rows: u64,
    /// How large it is.
    pub bytes: u64,
}

/// Why a file did not get its place.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The lake's trouble.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Somebody else made a file of this name.
    #[error(
        "another copy of this stage is running: {path} was written by run {other}, not by this one ({ours}); stop one of them"
    )]
    AnotherCopy {
        /// The file both wanted.
        path: String,
        /// The other's writer id.
        other: String,
        /// Our writer id.
        ours: String,
    },
    /// A put of an earlier cut that had looked failed took effect later.
    #[error("{path} was created by an earlier try of this run")]
    Overtaken {
        /// The file.
        path: String,
    },
}

impl SealedFile {
    /// Where it will be, relative to the lake.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Puts the file into the lake. May be repeated after a transient error: a try that had succeeded unnoticed is
    /// recognised by the stamp in its footer.
    ///
    /// # Errors
    /// The lake's, or the name is taken.
    pub async fn commit(
        &self,
        lake: &Lake,
        stamp: &FileStamp,
    ) -> Result<CommittedFile, CommitError> {
        let created = lake.create(&self.path, self.contents.clone(), &stamp.writer);
        if created.await? == Created::NameTaken {
            let other = lake.stamp(&self.path).await?;
            let path = self.path.clone();
            if other.writer != stamp.writer {
                return Err(CommitError::AnotherCopy {
                    path,
                    other: other.writer,
                    ours: stamp.writer.clone(),
                });
            }
            if other != *stamp {
                return Err(CommitError::Overtaken { path });
            }
        }
        Ok(CommittedFile {
            path: self.path.clone(),
            layer: self.layer.clone(),
            rows: self.rows,
            bytes: self.contents.len() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        for (day, text) in [
            (0, "1970-01-01"),
            (20_240, "2025-06-01"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(date(day), text);
            assert_eq!(day_of(text), Some(day));
        }
    }

    #[test]
    fn a_day_beyond_the_calendar_has_a_folder_too() {
        assert_eq!(date(i32::MAX), "9909-12-07");
        assert_eq!(day_of("no date"), None);
    }
}
