//! The rows of one layer between two cuts.
//!
//! Always true: all rows belong to one file, and none is of a later day than the first. Full batches go to the encoder;
//! the rest waits here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use lake::FileName;

use super::columns::BATCH_ROWS;
use super::file::{FileError, OpenFile};
use super::rows::{Rows, Source};
use super::schema::LayerSchema;
use crate::status::DestinationStatus;

/// A layer of one input partition.
pub(crate) struct LayerState {
    schema: Arc<LayerSchema>,
    /// The name of its files, except for the offset.
    name: FileName,
    rows: Rows,
    file: Option<OpenFile>,
    first: Option<FirstRow>,
    file_rows: u64,
    rows_max: u64,
    /// The last input that the layer held when the stage started.
    held_up_to: i64,
    /// The column with the module's event time.
    time_column: Option<usize>,
    status: Arc<DestinationStatus>,
}

#[derive(Debug, Clone, Copy)]
struct FirstRow {
    offset: i64,
    day: i32,
    at: Instant,
}

/// What became of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// Its destination has it.
    Taken,
    /// Its destination has it, and a file has reached `rows_max`.
    Full,
    /// It was not taken, as its day is later than the file's. Cut, then push it again.
    CutFirst,
}

impl LayerState {
    /// A layer without rows. `name` is that of any of its files.
    pub(crate) fn new(
        schema: LayerSchema,
        name: FileName,
        rows_max: u64,
        held_up_to: i64,
        time_field: Option<&str>,
        status: Arc<DestinationStatus>,
    ) -> Self {
        let schema = Arc::new(schema);
        let mut columns = schema.layer.columns.iter();
        let time_column = columns
            .position(|column| Some(column.name.as_str()) == time_field && column.from.is_none());
        Self {
            rows: Rows::new(schema.clone(), &name.topic, name.partition),
            schema,
            name,
            file: None,
            first: None,
            file_rows: 0,
            rows_max,
            held_up_to,
            time_column,
            status,
        }
    }

    /// What its files look like.
    pub(crate) fn schema(&self) -> &Arc<LayerSchema> {
        &self.schema
    }

    /// Number of rows since the last cut.
    pub(crate) fn file_rows(&self) -> u64 {
        self.file_rows
    }

    /// About the size of its file so far; one batch behind.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, OpenFile::bytes)
    }

    /// About the memory of the rows that wait for the encoder.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.rows.memory_bytes() as u64
    }

    /// When its first row since the last cut came.
    pub(crate) fn first_row_at(&self) -> Option<Instant> {
        self.first.map(|first| first.at)
    }

    /// Adds a row unless the layer holds it already. Also returns the row's event time, when that is one of the columns.
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
        let day = match self.rows.push(source) {
            Ok(day) => day,
            Err(reason) => return Err(format!("layer {}: {reason}", self.schema.name())),
        };
        match &self.first {
            // A row without a date goes into the current file; as the first row it counts as 1970-01-01.
            Some(first) if day.is_some_and(|day| day > first.day) => {
                self.rows.undo_last();
                return Ok((Pushed::CutFirst, None));
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
        let time_ms = self.time_column.and_then(|i| self.rows.last_time_ms(i));
        match self.file_rows >= self.rows_max {
            true => Ok((Pushed::Full, time_ms)),
            false => Ok((Pushed::Taken, time_ms)),
        }
    }

    /// Passes a full batch to the encoder.
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

    /// Ends the file; later rows go into another. `None` when there is no row.
    ///
    /// # Errors
    /// When encoding failed.
    pub(crate) async fn close(&mut self) -> Result<Option<OpenFile>, FileError> {
        match self.first {
            Some(_) => self.encode().await?,
            // The only row may have been undone, or refused.
            None => drop(self.rows.finish()),
        }
        self.first = None;
        self.file_rows = 0;
        Ok(self.file.take())
    }
}
