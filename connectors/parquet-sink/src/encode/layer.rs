//! The rows of one table between two cuts.
//!
//! Always true: the rows of a date go to a file of that date, whatever order they come in. Full batches go to the encoders;
//! the rest waits here. At most [`ENCODERS_MAX`] files are compressed at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::columns::BATCH_ROWS;
use super::file::{FileError, OpenFile, SealedFile};
use super::rows::{Rows, Source};
use super::schema::LayerSchema;
use super::split::by_day;
use crate::status::DestinationStatus;

/// An encoder holds a compressor and buffers for each column, megabytes in all. Rows come mostly in the order of time, so
/// two dates are enough.
const ENCODERS_MAX: usize = 2;

/// A table's rows of one input partition.
pub(crate) struct LayerState {
    schema: Arc<LayerSchema>,
    /// The beginning of its files' names: topic and partition.
    name: String,
    rows: Rows,
    /// By day.
    open: BTreeMap<Option<i32>, OpenFile>,
    /// Files that gave their encoder to a later date.
    sealed: Vec<SealedFile>,
    first_row_at: Option<Instant>,
    rows_since_cut: u64,
    rows_max: u64,
    /// The last input that the table held when the stage started.
    held_up_to: i64,
    /// The column with the module's event time.
    time_column: Option<usize>,
    status: Arc<DestinationStatus>,
}

/// A file of a cut.
#[derive(Debug)]
pub(crate) enum CutFile {
    /// It may still be in the encoder.
    Open(OpenFile),
    /// It is complete.
    Sealed(SealedFile),
}

impl CutFile {
    /// Completes the file.
    ///
    /// # Errors
    /// When encoding failed.
    pub(crate) async fn seal(self) -> Result<SealedFile, FileError> {
        match self {
            Self::Open(file) => file.seal().await,
            Self::Sealed(file) => Ok(file),
        }
    }
}

/// What became of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Its destination has it.
    Taken,
    /// Its destination has it, and a table has reached `rows_max`.
    Full,
}

impl LayerState {
    /// A table without rows of this input partition.
    pub(crate) fn new(
        schema: Arc<LayerSchema>,
        topic: &str,
        partition: u32,
        rows_max: u64,
        held_up_to: i64,
        time_field: Option<&str>,
        status: Arc<DestinationStatus>,
    ) -> Self {
        let mut columns = schema.layer.columns.iter();
        let time_column = columns
            .position(|column| Some(column.name.as_str()) == time_field && column.from.is_none());
        Self {
            rows: Rows::new(schema.clone(), topic, partition),
            schema,
            name: format!("{topic}-{partition}"),
            open: BTreeMap::new(),
            sealed: Vec::new(),
            first_row_at: None,
            rows_since_cut: 0,
            rows_max,
            held_up_to,
            time_column,
            status,
        }
    }

    /// Number of rows since the last cut.
    pub(crate) fn rows(&self) -> u64 {
        self.rows_since_cut
    }

    /// About the size of its files so far; one batch behind.
    pub(crate) fn file_bytes(&self) -> u64 {
        let open = self.open.values().map(OpenFile::bytes);
        let sealed = self.sealed.iter().map(|file| file.contents.len() as u64);
        open.chain(sealed).sum()
    }

    /// About the memory of the rows that wait for an encoder.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        let files = self.open.values().map(OpenFile::waiting_bytes);
        self.rows.memory_bytes() as u64 + files.sum::<u64>()
    }

    /// When its first row since the last cut came.
    pub(crate) fn first_row_at(&self) -> Option<Instant> {
        self.first_row_at
    }

    /// Adds a row unless the table holds it already. Also returns the row's event time, when that is one of the columns.
    ///
    /// # Errors
    /// A phrase, when the output does not fit the columns.
    pub(crate) fn push(
        &mut self,
        source: Source<'_>,
        now: Instant,
    ) -> Result<(Pushed, Option<i64>), String> {
        if source.offset <= self.held_up_to {
            return Ok((Pushed::Taken, None));
        }
        self.rows
            .push(source)
            .map_err(|reason| format!("table {}: {reason}", self.schema.name()))?;
        self.first_row_at.get_or_insert(now);
        self.rows_since_cut += 1;
        let time_ms = self.time_column.and_then(|i| self.rows.last_time_ms(i));
        match self.rows_since_cut >= self.rows_max {
            true => Ok((Pushed::Full, time_ms)),
            false => Ok((Pushed::Taken, time_ms)),
        }
    }

    /// Passes a full batch to the encoders.
    ///
    /// # Errors
    /// When encoding failed.
    pub(crate) async fn encode_full(&mut self) -> Result<(), FileError> {
        match self.rows.len() >= BATCH_ROWS {
            true => self.encode().await,
            false => Ok(()),
        }
    }

    async fn encode(&mut self) -> Result<(), FileError> {
        let days = self.rows.days().to_vec();
        let batch = self.rows.finish();
        let rows = batch.num_rows() as u64;
        self.status.rows.fetch_add(rows, Ordering::Relaxed);
        for (day, part) in by_day(batch, &days) {
            let file = self.open.entry(day).or_insert_with(|| {
                let name = format!("{}-{:020}", self.name, first_offset(&part));
                OpenFile::new(self.schema.clone(), name, day)
            });
            file.write(part).await?;
            self.free_encoder().await?;
        }
        Ok(())
    }

    /// Completes the file of the earliest date when too many have an encoder.
    async fn free_encoder(&mut self) -> Result<(), FileError> {
        let encoding = self.open.iter().filter(|(_, file)| file.is_encoding());
        let encoding: Vec<Option<i32>> = encoding.map(|(day, _)| *day).collect();
        if encoding.len() > ENCODERS_MAX
            && let Some(earliest) = self.open.remove(&encoding[0])
        {
            self.sealed.push(earliest.seal().await?);
        }
        Ok(())
    }

    /// Ends the files; later rows go into others. Empty when there is no row.
    ///
    /// # Errors
    /// When encoding failed.
    pub(crate) async fn close(&mut self) -> Result<Vec<CutFile>, FileError> {
        // Also drops what a refused row left.
        self.encode().await?;
        self.first_row_at = None;
        self.rows_since_cut = 0;
        let sealed = std::mem::take(&mut self.sealed).into_iter();
        let open = std::mem::take(&mut self.open).into_values();
        let files = sealed.map(CutFile::Sealed).chain(open.map(CutFile::Open));
        Ok(files.collect())
    }
}

/// The offset of the first row: the last column has it.
fn first_offset(rows: &RecordBatch) -> i64 {
    let offsets = rows.column(rows.num_columns() - 1);
    offsets.as_primitive::<Int64Type>().value(0)
}

#[cfg(test)]
mod tests {
    use arrow_array::types::TimestampMicrosecondType;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn layer() -> LayerState {
        let layer = json!({ "name": "ticks", "date": "at", "columns": [{ "name": "at", "type": "timestamp" }] });
        let schema = LayerSchema::new(&serde_json::from_value(layer).unwrap());
        let status = Arc::new(DestinationStatus::default());
        LayerState::new(Arc::new(schema), "in", 3, u64::MAX, -1, None, status)
    }

    async fn push(layer: &mut LayerState, offset: i64, day: Option<i64>) {
        let at = day.map(|day| day * DAY_MS + offset % DAY_MS);
        let value = json!({ "at": at }).to_string();
        let source = Source {
            offset,
            timestamp_ms: -1,
            key: None,
            value: value.as_bytes(),
        };
        layer.push(source, Instant::now()).unwrap();
        layer.encode_full().await.unwrap();
    }

    /// The rows of all files, each as its offset and the date of its file, which must be that of the row.
    async fn rows(files: Vec<CutFile>) -> Vec<(i64, Option<String>)> {
        let mut rows = Vec::new();
        for file in files {
            let file = file.seal().await.unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file.contents).unwrap();
            let mut is_first = true;
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                let days = batch["at"].as_primitive::<TimestampMicrosecondType>();
                let offsets = batch["source_offset"].as_primitive::<Int64Type>();
                for (offset, at) in offsets.values().iter().zip(days) {
                    let day = at.map(|us| us.div_euclid(DAY_MS * 1_000));
                    let date = day.map(|day| super::super::date::date(day as i32));
                    assert_eq!(file.date, date);
                    if std::mem::take(&mut is_first) {
                        assert_eq!(file.name, format!("in-3-{offset:020}"));
                    }
                    rows.push((*offset, date));
                }
            }
        }
        rows.sort();
        rows
    }

    /// More dates at a time than encoders, each with more rows than a batch.
    #[tokio::test]
    async fn rows_of_many_dates_go_to_files_of_their_dates() {
        let mut layer = layer();
        let count = 5 * (BATCH_ROWS as i64 + 100);
        let day = |offset: i64| Some(20_000 + offset % 5);
        for offset in 0..count {
            push(&mut layer, offset, day(offset)).await;
        }
        let encoders = layer.open.values().filter(|file| file.is_encoding());
        assert!(encoders.count() <= ENCODERS_MAX);
        let rows = rows(layer.close().await.unwrap()).await;
        let offsets: Vec<i64> = rows.iter().map(|(offset, _)| *offset).collect();
        assert!(offsets.into_iter().eq(0..count));
        assert_eq!(
            (layer.rows(), layer.file_bytes(), layer.waiting_bytes()),
            (0, 0, 0)
        );
        assert!(layer.close().await.unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_file_of_its_date(days in prop::collection::vec(prop::option::of(-2_i64..2), 0..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut layer = layer();
                for (offset, day) in (0..).zip(&days) {
                    push(&mut layer, offset, *day).await;
                }
                let files = layer.close().await.unwrap();
                let dates: std::collections::BTreeSet<_> = days.iter().collect();
                assert_eq!(files.len(), dates.len());
                assert_eq!(rows(files).await.len(), days.len());
            });
        }
    }
}
