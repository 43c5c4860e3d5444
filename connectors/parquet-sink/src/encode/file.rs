//! A data file while it is built in memory.
//!
//! Always true: an [`OpenFile`] takes rows; a [`SealedFile`] is complete and in no lake yet, and is only made by consuming
//! an open one. A file of more than a batch is compressed while it grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use tokio::task::JoinHandle;

use super::columns::BATCH_ROWS;
use super::date::date;
use super::schema::LayerSchema;

type Encoder = Box<ArrowWriter<Vec<u8>>>;

/// A file that takes rows. Encoding runs beside the caller, and begins when a batch is full: most files of a date that is
/// over have a few rows, and an encoder has large buffers.
#[derive(Debug)]
pub(crate) struct OpenFile {
    schema: Arc<LayerSchema>,
    /// The beginning of its name.
    name: String,
    /// The day of its rows, counted from 1970-01-01; `None` when their date is null.
    day: Option<i32>,
    /// Rows that no encoder has yet.
    waiting: Vec<RecordBatch>,
    /// Compressed bytes so far, and those that wait in the encoder.
    bytes: Arc<AtomicU64>,
    encoding: Option<JoinHandle<Result<Encoder, String>>>,
}

/// A complete file that is in no lake yet. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SealedFile {
    /// The beginning of its name.
    pub name: String,
    /// The date of its rows; `None` when it is null.
    pub date: Option<String>,
    /// The Parquet file.
    pub contents: Bytes,
}

/// A Parquet file could not be built.
#[derive(Debug, thiserror::Error)]
#[error("building a Parquet file failed, which is a bug: {0}; please report it")]
pub struct FileError(String);

impl OpenFile {
    /// An empty file of the rows of one day.
    pub(super) fn new(schema: Arc<LayerSchema>, name: String, day: Option<i32>) -> Self {
        Self {
            schema,
            name,
            day,
            waiting: Vec::new(),
            bytes: Arc::default(),
            encoding: None,
        }
    }

    /// About how large the file is; one batch behind.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// About the memory of the rows that no encoder has yet.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let waiting = self.waiting.iter().map(RecordBatch::get_array_memory_size);
        waiting.sum::<usize>() as u64
    }

    /// Whether it has an encoder.
    pub(super) fn is_encoding(&self) -> bool {
        self.encoding.is_some()
    }

    /// Adds a batch; waits while the one before is encoded.
    ///
    /// # Errors
    /// A bug in this crate or the Parquet library, as batches have the file's schema.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<(), FileError> {
        self.waiting.push(batch);
        let waiting: usize = self.waiting.iter().map(RecordBatch::num_rows).sum();
        match waiting >= BATCH_ROWS {
            true => self.encode().await,
            false => Ok(()),
        }
    }

    /// Passes the rows that wait to the encoder.
    async fn encode(&mut self) -> Result<(), FileError> {
        let before = match &mut self.encoding {
            Some(encoding) => Some(finished(encoding).await?),
            None => None,
        };
        let (schema, bytes) = (self.schema.clone(), self.bytes.clone());
        let waiting = std::mem::take(&mut self.waiting);
        self.encoding = Some(tokio::task::spawn_blocking(move || {
            let mut encoder = match before {
                Some(encoder) => encoder,
                None => encoder(&schema)?,
            };
            for batch in waiting {
                encoder.write(&batch).map_err(|error| error.to_string())?;
            }
            let size = encoder.bytes_written() + encoder.in_progress_size();
            bytes.store(size as u64, Ordering::Relaxed);
            Ok(encoder)
        }));
        Ok(())
    }

    /// Completes the file.
    ///
    /// # Errors
    /// A bug in this crate or the Parquet library.
    pub(crate) async fn seal(mut self) -> Result<SealedFile, FileError> {
        self.encode().await?;
        let encoding = self.encoding.as_mut().expect("it was begun just now");
        let encoder = finished(encoding).await?;
        let mut sealing = tokio::task::spawn_blocking(move || {
            encoder.into_inner().map_err(|error| error.to_string())
        });
        let contents = finished(&mut sealing).await?;
        Ok(SealedFile {
            name: self.name,
            date: self.day.map(date),
            contents: Bytes::from(contents),
        })
    }
}

fn encoder(schema: &LayerSchema) -> Result<Encoder, String> {
    // The table's schema says what Arrow's would say again in every file.
    let options = ArrowWriterOptions::new()
        .with_properties(schema.properties.clone())
        .with_skip_arrow_metadata(true);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.arrow.clone(), options);
    writer.map(Box::new).map_err(|error| error.to_string())
}

async fn finished<T>(task: &mut JoinHandle<Result<T, String>>) -> Result<T, FileError> {
    match task.await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(reason)) => Err(FileError(reason)),
        Err(error) => Err(FileError(error.to_string())),
    }
}
