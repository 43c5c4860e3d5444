//! Rewrites files as sorted ones, within bounded memory.
//!
//! Sorted files are runs as they are. The rows of others are gathered in memory up to [`RUN_BYTES`], sorted, and put aside
//! in a temporary file, which is a run as well. The runs are merged into files of the full size. Parquet is read and
//! written page by page from local files, so what is in memory is a page of each column of each run, the rows gathered, and
//! one row group of the output.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tempfile::TempPath;
use tokio::runtime::Handle;

use super::error::RewriteError;
use super::merge::{self, BATCH_ROWS, Run};
use super::order::Order;
use super::scratch::Scratch;
use super::shape::Shape;
use super::watch::{Step, Watch};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::parquet_properties;

/// Memory of the rows that are sorted at a time.
const RUN_BYTES: usize = 32 << 20;
/// So many sorted files are runs as they are, the largest; the rows of more are gathered like those of others.
const STREAMS_MAX: usize = 32;
/// Row groups are no larger than this: one is in memory.
const GROUP_ROWS: usize = 128 << 10;
const GROUP_BYTES: usize = 16 << 20;
/// This part of a file is left for its footer.
const FOOTER_PART: u64 = 32;
/// Pages of temporary files: a page of each column of each is in memory.
const RUN_PAGE_BYTES: usize = 64 << 10;
const RUN_GROUP_BYTES: usize = 2 << 20;

/// A file to be rewritten.
#[derive(Debug)]
pub(super) struct Input {
    /// Relative to the lake.
    pub(super) path: String,
    /// Its rows, where the table's log says how many they are.
    pub(super) rows: Option<u64>,
    /// Whether it is in the order that is wanted.
    pub(super) is_sorted: bool,
}

impl Input {
    /// A rewrite must not turn a file that is not what it was into the truth.
    fn check_rows(&self, footer: &ParquetMetaData) -> Result<(), String> {
        let found = u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0);
        match self.rows {
            Some(counted) if counted != found => Err(format!(
                "it holds {found} rows where the table's log says {counted}: it is not what it was"
            )),
            _ => Ok(()),
        }
    }
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct Output {
    /// Removes the file when it is dropped.
    pub(super) path: TempPath,
    pub(super) metadata: ParquetMetaData,
    /// The day of its rows, if the order has days.
    pub(super) date: Option<String>,
}

/// Which files to rewrite, and how.
pub(super) struct Rewrite {
    /// The largest first.
    pub(super) inputs: Vec<Input>,
    /// The columns of the outputs.
    pub(super) shape: Shape,
    pub(super) order: Order,
    /// The full size of a file.
    pub(super) file_bytes: u64,
    pub(super) lake: Lake,
    /// For requests to the lake's store.
    pub(super) runtime: Handle,
    pub(super) scratch: Scratch,
    pub(super) watch: Watch,
}

impl Rewrite {
    /// Rewrites the files.
    ///
    /// # Errors
    /// When one cannot be read or written, or it is stopped. Nothing is left behind then.
    pub(super) fn run(self) -> Result<Vec<Output>, RewriteError> {
        let mut bloom = BTreeSet::new();
        let mut runs: Vec<Run> = Vec::new();
        let mut gathered = Gathered::default();
        for input in &self.inputs {
            let (lake, path) = (self.lake.clone(), input.path.clone());
            let broken = move |reason: &dyn Display| lake.broken(&path, reason).into();
            let reader = open(self.fetch(&input.path)?).map_err(|error| broken(&error))?;
            let checked = input.check_rows(reader.metadata());
            checked.map_err(|reason| broken(&reason))?;
            bloom.extend(bloom_columns(reader.metadata()));
            let reader = reader.with_batch_size(BATCH_ROWS).build();
            let rows = self.rows(reader.map_err(|error| broken(&error))?, broken);
            if input.is_sorted && runs.len() < STREAMS_MAX {
                runs.push(rows);
                continue;
            }
            for batch in rows {
                gathered.push(batch?);
                if gathered.bytes >= RUN_BYTES {
                    runs.push(self.spill(gathered.sorted(&self.order))?);
                }
            }
        }
        runs.push(gathered.sorted(&self.order));

        let mut outputs = Outputs::new(&self, &bloom);
        merge::merge(runs, &self.order, |batch| outputs.write(batch))?;
        outputs.finish()
    }

    /// A file of the lake as a local one.
    fn fetch(&self, path: &str) -> Result<File, RewriteError> {
        if let Some(local) = &self.lake.local {
            return File::open(local.path(path)).map_err(|error| match error.kind() {
                ErrorKind::NotFound => RewriteError::Lake(LakeError::Gone {
                    path: path.to_owned(),
                }),
                _ => RewriteError::Lake(self.lake.local_error(path, &error)),
            });
        }
        let mut file = self.scratch.unnamed()?;
        self.runtime.block_on(self.lake.copy_to(path, &mut file))?;
        Ok(file)
    }

    /// The rows of a file, in the wanted columns. `broken` says what is wrong with the file.
    fn rows(
        &self,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static,
        broken: impl Fn(&dyn Display) -> RewriteError + 'static,
    ) -> Run {
        let (shape, watch) = (self.shape.clone(), self.watch.clone());
        Box::new(batches.map(move |batch| {
            let batch = batch.and_then(|batch| shape.apply(&batch));
            let batch = batch.map_err(|error| broken(&error))?;
            let rows = batch.num_rows() as u64;
            match watch.step(Step::RowsRead(rows)) {
                Ok(()) => Ok(batch),
                Err(_) => Err(RewriteError::Stopped),
            }
        }))
    }

    /// Puts a run aside.
    fn spill(&self, run: Run) -> Result<Run, RewriteError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_data_page_size_limit(RUN_PAGE_BYTES)
            .set_data_page_row_count_limit(BATCH_ROWS)
            .set_write_batch_size(BATCH_ROWS)
            .set_max_row_group_row_count(None)
            .set_max_row_group_bytes(Some(RUN_GROUP_BYTES))
            .build();
        let file = self.scratch.unnamed()?;
        let mut writer = ArrowWriter::try_new(
            file.try_clone()?,
            self.shape.schema.clone(),
            Some(properties),
        )?;
        for batch in run {
            writer.write(&batch?)?;
        }
        writer.close()?;
        self.watch
            .step(Step::RunSpilled)
            .map_err(|_| RewriteError::Stopped)?;
        let reader = open(file)?.with_batch_size(BATCH_ROWS).build()?;
        let shape = Shape {
            renamed: &[],
            ..self.shape.clone()
        };
        Ok(Box::new(reader.map(move |batch| Ok(shape.apply(&batch?)?))))
    }
}

/// Rows that wait to be sorted.
#[derive(Default)]
struct Gathered {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, batch: RecordBatch) {
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
    }

    /// What was gathered so far, as a run.
    fn sorted(&mut self, order: &Order) -> Run {
        self.bytes = 0;
        merge::sorted(std::mem::take(&mut self.batches), order)
    }
}

/// A file being written.
struct Current {
    writer: ArrowWriter<File>,
    path: TempPath,
    date: Option<String>,
}

/// Files being written, one after the other.
struct Outputs<'a> {
    rewrite: &'a Rewrite,
    properties: WriterProperties,
    current: Option<Current>,
    finished: Vec<Output>,
}

impl<'a> Outputs<'a> {
    fn new(rewrite: &'a Rewrite, bloom: &BTreeSet<String>) -> Self {
        let properties = parquet_properties(&rewrite.shape.schema, bloom)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES));
        Self {
            rewrite,
            properties: properties.build(),
            current: None,
            finished: Vec::new(),
        }
    }

    fn write(&mut self, batch: RecordBatch) -> Result<(), RewriteError> {
        for (date, rows) in self.rewrite.order.days(batch) {
            if self.current.as_ref().is_some_and(|file| file.date != date) {
                self.close()?;
            }
            self.write_day(date, &rows)?;
        }
        Ok(())
    }

    fn write_day(&mut self, date: Option<String>, rows: &RecordBatch) -> Result<(), RewriteError> {
        let current = match &mut self.current {
            Some(current) => current,
            none => {
                let (file, path) = self.rewrite.scratch.named()?.into_parts();
                let (schema, properties) = (rows.schema(), self.properties.clone());
                let writer = ArrowWriter::try_new(file, schema, Some(properties))?;
                none.insert(Current { writer, path, date })
            }
        };
        let writer = &mut current.writer;
        writer.write(rows)?;
        let full = self.rewrite.file_bytes - self.rewrite.file_bytes / FOOTER_PART;
        let bytes = writer.bytes_written() + writer.in_progress_size();
        if (bytes as u64) < full {
            return Ok(());
        }
        // Only an estimate: what is in pages is not compressed yet.
        writer.flush()?;
        match writer.bytes_written() as u64 > full / 4 * 3 {
            true => self.close(),
            false => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), RewriteError> {
        if let Some(Current { writer, path, date }) = self.current.take() {
            let metadata = writer.close()?;
            self.finished.push(Output {
                path,
                metadata,
                date,
            });
            let step = self.rewrite.watch.step(Step::FileWritten);
            step.map_err(|_| RewriteError::Stopped)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Output>, RewriteError> {
        self.close()?;
        Ok(self.finished)
    }
}

/// Opens a Parquet file. Types are those of Parquet's schema: other writers embed other Arrow types.
fn open(file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
}

/// The columns that have a bloom filter.
fn bloom_columns(metadata: &Arc<ParquetMetaData>) -> Vec<String> {
    let groups = metadata.row_groups().iter();
    let columns = groups.flat_map(|group| group.columns());
    columns
        .filter(|column| column.bloom_filter_offset().is_some())
        .map(|column| column.column_path().string())
        .collect()
}
