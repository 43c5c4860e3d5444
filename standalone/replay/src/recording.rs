//! A recorded market: a Parquet file of ticks.
//!
//! A step is what one poll would have seen: rows of one minute, each coin once, at most 250. It ends where a row
//! belongs to another minute, or names a coin the step already has. A row that repeats its coin's row before is left out: the
//! source would not send it again.

use std::path::{Path, PathBuf};

use crate::coin::Tick;
use crate::error::RecordingError;
use crate::rows::{Row, Rows};
use crate::step::{STEP_RECORDS_MAX, Step};

const STEP_MS: i64 = 60_000;

/// A Parquet file of ticks, checked from the first row to the last.
///
/// Its columns: `event_time` (a timestamp with a zone, in whole milliseconds, never falling), `coin`, `symbol`,
/// `price_usd` (finite), `market_cap_usd` and `volume_24h_usd` (null or NaN where unknown). Others are ignored.
#[derive(Debug, Clone)]
pub struct Recording {
    path: PathBuf,
    steps_total: u64,
    records_total: u64,
}

impl Recording {
    /// Reads the whole file once to check it and to count its steps.
    ///
    /// # Errors
    /// The first thing that stands in the way of a replay.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let mut grouped = Grouped::open(path)?;
        let (mut steps_total, mut records_total) = (0, 0);
        while let Some(first) = grouped.first()? {
            steps_total += 1;
            records_total += 1;
            grouped.begin(first);
            while grouped.more()?.is_some() {
                records_total += 1;
            }
        }
        if records_total == 0 {
            return Err(RecordingError::Empty(path.into()));
        }
        Ok(Self {
            path: path.into(),
            steps_total,
            records_total,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many steps it has.
    pub fn steps_total(&self) -> u64 {
        self.steps_total
    }

    /// How many rows it has, less those that repeat their coin's row before.
    pub fn records_total(&self) -> u64 {
        self.records_total
    }

    pub(crate) fn steps(&self) -> Result<RecordingSteps, RecordingError> {
        Grouped::open(&self.path).map(RecordingSteps)
    }
}

/// The steps of a [`Recording`], read as they are needed.
pub struct RecordingSteps(Grouped);

impl RecordingSteps {
    pub(crate) fn next_into(&mut self, step: &mut Step) -> Result<bool, RecordingError> {
        let Some(first) = self.0.first()? else {
            return Ok(false);
        };
        self.0.begin(first);
        step.time_ms = first.tick.time_ms;
        self.push(first, step);
        while let Some(row) = self.0.more()? {
            self.push(row, step);
        }
        Ok(true)
    }

    fn push(&mut self, row: Row, step: &mut Step) {
        let coin = &mut self.0.rows.coins[row.coin];
        step.push(Some(coin.id.clone()), |json| coin.write(row.tick, json));
    }
}

/// Rows, with the ends of steps found.
struct Grouped {
    rows: Rows,
    /// The last tick of each coin.
    last: Vec<Option<Tick>>,
    /// The row that ended the step before.
    pending: Option<Row>,
    /// The number of the step in which each coin was last seen; the first is 1.
    seen: Vec<u64>,
    step: u64,
    step_minute: i64,
    step_records: usize,
}

impl Grouped {
    fn open(path: &Path) -> Result<Self, RecordingError> {
        Ok(Self {
            rows: Rows::open(path)?,
            last: Vec::new(),
            pending: None,
            seen: Vec::new(),
            step: 0,
            step_minute: 0,
            step_records: 0,
        })
    }

    /// The first row of the next step.
    fn first(&mut self) -> Result<Option<Row>, RecordingError> {
        match self.pending.take() {
            Some(row) => Ok(Some(row)),
            None => self.next_row(),
        }
    }

    /// The next row that is not its coin's row before.
    fn next_row(&mut self) -> Result<Option<Row>, RecordingError> {
        while let Some(row) = self.rows.next()? {
            if self.last.len() <= row.coin {
                self.last.resize(row.coin + 1, None);
            }
            if self.last[row.coin].replace(row.tick) != Some(row.tick) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn begin(&mut self, first: Row) {
        self.step += 1;
        self.step_minute = first.tick.time_ms / STEP_MS;
        self.step_records = 0;
        self.take(first);
    }

    /// The next row of the same step.
    fn more(&mut self) -> Result<Option<Row>, RecordingError> {
        let Some(row) = self.next_row()? else {
            return Ok(None);
        };
        let seen = self
            .seen
            .get(row.coin)
            .is_some_and(|&step| step == self.step);
        let other_minute = row.tick.time_ms / STEP_MS != self.step_minute;
        if seen || other_minute || self.step_records == STEP_RECORDS_MAX {
            self.pending = Some(row);
            return Ok(None);
        }
        self.take(row);
        Ok(Some(row))
    }

    fn take(&mut self, row: Row) {
        self.step_records += 1;
        if self.seen.len() <= row.coin {
            self.seen.resize(row.coin + 1, 0);
        }
        self.seen[row.coin] = self.step;
    }
}
