//! A layer's rows between two cuts.
//!
//! Always true: all rows are of one file, and none is of a later day than its first. Full batches go to the encoder, the
//! rest waits here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::assembly::Step;
use crate::cut::SinceCut;
use crate::file::{FileError, OpenFile};
use crate::rows::{BATCH_ROWS, Rows, Source};
use crate::schema::LayerSchema;
use crate::status::DestinationStatus;
use lake::FileName;

/// A layer of one input partition.
pub(crate) struct LayerState {
    schema: Arc<LayerSchema>,
    /// Of the files to come; the offset is that of their first row.
    name: FileName,
    rows: Rows,
    file: Option<OpenFile>,
    first: Option<FirstRow>,
    file_rows: u64,
    rows_max: u64,
    /// The last input it holds rows of, from an earlier run.
    stands_at: i64,
    /// Where the module's event time is among the columns.
    time_column: Option<usize>,
    status: Arc<DestinationStatus>,
}

#[derive(Debug, Clone, Copy)]
struct FirstRow {
    offset: i64,
    day: i32,
    at: Instant,
}

impl LayerState {
    /// Without rows; `name` is that of any of its files.
    pub fn new(
        schema: LayerSchema,
        name: FileName,
        rows_max: u64,
        stands_at: i64,
        time_field: Option<&str>,
        status: Arc<DestinationStatus>,
    ) -> Self {
        let schema = Arc::new(schema);
        let mut columns = schema.layer.columns.iter();
        let time_column =
            columns.position(|c| Some(c.name.as_str()) == time_field && c.from.is_none());
        Self {
            rows: Rows::new(schema.clone(), &name.topic, name.partition),
            schema,
            name,
            file: None,
            first: None,
            file_rows: 0,
            rows_max,
            stands_at,
            time_column,
            status,
        }
    }

    /// What its files look like.
    pub fn schema(&self) -> &Arc<LayerSchema> {
        &self.schema
    }

    /// Rows since the last cut.
    pub fn file_rows(&self) -> u64 {
        self.file_rows
    }

    /// Adds the row, unless the layer has it; also returns its event time, where that is one of the columns.
    ///
    /// # Errors
    /// A phrase, when the output does not fit.
    pub fn push(
        &mut self,
        source: Source<'_>,
        now: Instant,
    ) -> Result<(Step, Option<i64>), String> {
        if source.offset <= self.stands_at {
            return Ok((Step::Taken, None));
        }
        let day = match self.rows.push(source) {
            Ok(day) => day,
            Err(reason) => return Err(format!("layer {}: {reason}", self.schema.name())),
        };
        match &self.first {
            // A row without a date stays in the file at hand; alone, it counts as of the beginning of time.
            Some(first) if day.is_some_and(|day| day > first.day) => {
                self.rows.undo_last();
                return Ok((Step::CutFirst, None));
            }
            Some(_) => {}
            None => {
                self.first = Some(FirstRow {
                    offset: source.offset,
                    day: day.unwrap_or(0),
                    at: now,
                });
            }
        }
        self.file_rows += 1;
        let time_ms = self.time_column.and_then(|i| self.rows.last_time(i));
        match self.file_rows >= self.rows_max {
            true => Ok((Step::Full, time_ms)),
            false => Ok((Step::Taken, time_ms)),
        }
    }

    /// Adds what it holds.
    pub fn count(&self, since: &mut SinceCut) {
        let bytes = self.file.as_ref().map_or(0, OpenFile::bytes);
        since.rows += self.file_rows;
        since.file_rows = since.file_rows.max(self.file_rows);
        since.file_bytes = since.file_bytes.max(bytes);
        since.memory_bytes += bytes + self.rows.memory_bytes() as u64;
        let at = self.first.map(|first| first.at);
        since.first_row = match (since.first_row, at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// Hands a full batch to the encoder.
    ///
    /// # Errors
    /// When encoding failed.
    pub async fn encode_full(&mut self) -> Result<(), FileError> {
        match self.rows.len() >= BATCH_ROWS {
            true => self.encode().await,
            false => Ok(()),
        }
    }

    async fn encode(&mut self) -> Result<(), FileError> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let file = self.file.get_or_insert_with(|| {
            let name = FileName {
                offset: first.offset,
                ..self.name.clone()
            };
            OpenFile::new(self.schema.clone(), name, first.day)
        });
        let batch = self.rows.finish();
        let rows = batch.num_rows() as u64;
        self.status.rows.fetch_add(rows, Ordering::Relaxed);
        file.write(batch).await
    }

    /// Takes the file with all rows, if there are any; later rows go into another.
    ///
    /// # Errors
    /// When encoding failed.
    pub async fn close(&mut self) -> Result<Option<OpenFile>, FileError> {
        match self.first {
            Some(_) => self.encode().await?,
            // A row that was undone or failed may be all there is.
            None => drop(self.rows.finish()),
        }
        self.first = None;
        self.file_rows = 0;
        Ok(self.file.take())
    }
}
