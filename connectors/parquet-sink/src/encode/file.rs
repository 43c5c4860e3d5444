//! A layer's file while it is built in memory.
//!
//! Always true: an [`OpenFile`] takes rows; a [`SealedFile`] is complete and in no lake yet, and is only made by consuming
//! an open one. A file is compressed while it grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use bytes::Bytes;
use lake::{FileName, FileStamp};
use parquet::arrow::ArrowWriter;
use tokio::task::JoinHandle;

use super::date::date;
use super::schema::LayerSchema;

type Encoder = Box<ArrowWriter<Vec<u8>>>;

/// A file that takes rows. Encoding runs beside the caller, one batch at a time.
#[derive(Debug)]
pub(crate) struct OpenFile {
    schema: Arc<LayerSchema>,
    name: FileName,
    /// The day of the first row, counted from 1970-01-01.
    day: i32,
    /// Compressed bytes so far, and those that wait in the encoder.
    bytes: Arc<AtomicU64>,
    rows: u64,
    encoding: JoinHandle<Result<Encoder, String>>,
}

/// A complete file that is in no lake yet. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SealedFile {
    /// Where it belongs, relative to the lake.
    pub path: String,
    /// The layer's name.
    pub layer: String,
    /// Number of rows.
    pub rows: u64,
    /// The Parquet file.
    pub contents: Bytes,
}

/// A Parquet file could not be built.
#[derive(Debug, thiserror::Error)]
#[error("building a Parquet file failed, which is a bug: {0}; please report it")]
pub struct FileError(String);

impl OpenFile {
    /// An empty file; `name` has the offset of its first row, or of the first input it covers when it stays empty.
    pub(crate) fn new(schema: Arc<LayerSchema>, name: FileName, day: i32) -> Self {
        let (arrow, properties) = (schema.arrow.clone(), schema.properties.clone());
        let encoding = tokio::task::spawn_blocking(move || {
            let writer = ArrowWriter::try_new(Vec::new(), arrow, Some(properties));
            writer.map(Box::new).map_err(|error| error.to_string())
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
    pub(crate) fn day(&self) -> i32 {
        self.day
    }

    /// About how large the file is; one batch behind.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Adds a batch; waits while the one before is encoded.
    ///
    /// # Errors
    /// A bug in this crate or the Parquet library, as batches have the file's schema.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<(), FileError> {
        let mut encoder = finished(&mut self.encoding).await?;
        let bytes = self.bytes.clone();
        self.rows += batch.num_rows() as u64;
        self.encoding = tokio::task::spawn_blocking(move || {
            encoder.write(&batch).map_err(|error| error.to_string())?;
            let size = encoder.bytes_written() + encoder.in_progress_size();
            bytes.store(size as u64, Ordering::Relaxed);
            Ok(encoder)
        });
        Ok(())
    }

    /// Completes the file. Its footer gets `stamp` with the layer's schema version, which is also returned.
    ///
    /// # Errors
    /// A bug in this crate or the Parquet library.
    pub(crate) async fn seal(
        mut self,
        stamp: &FileStamp,
    ) -> Result<(SealedFile, FileStamp), FileError> {
        let mut encoder = finished(&mut self.encoding).await?;
        let stamp = FileStamp {
            schema_version: self.schema.layer.schema_version,
            ..stamp.clone()
        };
        let metadata = stamp.to_metadata();
        let mut sealing = tokio::task::spawn_blocking(move || {
            encoder.append_key_value_metadata(metadata);
            encoder.into_inner().map_err(|error| error.to_string())
        });
        let contents = finished(&mut sealing).await?;
        let layer = self.schema.name();
        let sealed = SealedFile {
            path: format!("{layer}/date={}/{}", date(self.day), self.name),
            layer: layer.to_owned(),
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
        Err(error) => Err(FileError(error.to_string())),
    }
}
