//! The rows of a recording, checked one by one while they stream past.
//!
//! Always true: every row that comes out has a coin, a time in whole milliseconds that is not before the row above it,
//! and a finite price. Memory is one batch of rows and an entry for each coin, however long the file.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::coin::{Coin, Tick};
use crate::error::RecordingError;

/// The columns a recording must have, and the type each is expected in.
const COLUMNS: [(&str, &str); 6] = [
    ("event_time", "timestamp[ms, UTC]"),
    ("coin", "string"),
    ("symbol", "string"),
    ("price_usd", "double"),
    ("market_cap_usd", "double"),
    ("volume_24h_usd", "double"),
];
const BATCH_ROWS: usize = 8_192;
/// The last millisecond of the year 9999, the latest that RFC 3339 can write.
const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Where the coin stands in [`Rows::coins`].
    pub coin: usize,
    pub tick: Tick,
}

/// Reads a file row by row.
pub(crate) struct Rows {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    batch: Batch,
    /// Where the next row stands in `batch`.
    next_in_batch: usize,
    /// Where the first row of `batch` stands in the file, from 0.
    batch_start: u64,
    previous_time_ms: i64,
    indices: HashMap<Arc<str>, usize>,
    /// Every coin met so far.
    pub coins: Vec<Coin>,
}

impl Rows {
    pub(crate) fn open(path: &Path) -> Result<Self, RecordingError> {
        let unreadable = |why: String| RecordingError::Unreadable {
            path: path.into(),
            why,
        };
        let file = File::open(path).map_err(|why| RecordingError::Open {
            path: path.into(),
            why,
        })?;
        let builder =
            caught(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(unreadable)?;
        // The Parquet reader panics on negative offsets and sizes.
        let mut columns = builder
            .metadata()
            .row_groups()
            .iter()
            .flat_map(|group| group.columns());
        if columns.any(|column| {
            let start = column
                .dictionary_page_offset()
                .unwrap_or(column.data_page_offset());
            start < 0 || column.compressed_size() < 0
        }) {
            return Err(unreadable(
                "a column begins before the file does".to_owned(),
            ));
        }
        let schema = builder.schema().clone();
        check_columns(path, &schema)?;
        let names = COLUMNS.map(|(name, _)| name);
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        let batches = caught(|| builder.build()).map_err(unreadable)?;
        Ok(Self {
            path: path.into(),
            batches,
            batch: Batch::default(),
            next_in_batch: 0,
            batch_start: 0,
            previous_time_ms: i64::MIN,
            indices: HashMap::new(),
            coins: Vec::new(),
        })
    }

    /// The next row; none after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, RecordingError> {
        while self.next_in_batch == self.batch.times.len() {
            self.batch_start += self.next_in_batch as u64;
            self.next_in_batch = 0;
            let unreadable = |why| RecordingError::Unreadable {
                path: self.path.clone(),
                why,
            };
            let batch = caught(|| self.batches.next().transpose()).map_err(unreadable)?;
            let Some(batch) = batch else {
                self.batch = Batch::default();
                return Ok(None);
            };
            self.batch = Batch::new(&batch).map_err(|error| unreadable(error.to_string()))?;
        }
        let row = self.row(self.next_in_batch)?;
        self.next_in_batch += 1;
        Ok(Some(row))
    }

    fn row(&mut self, i: usize) -> Result<Row, RecordingError> {
        let batch = &self.batch;
        let bad = |column: &'static str, what: String, remedy: &'static str| RecordingError::Row {
            path: self.path.clone(),
            row: self.batch_start + i as u64,
            column,
            what,
            remedy,
        };
        if batch.times.is_null(i) {
            return Err(bad("event_time", "is null".into(), "drop the row"));
        }
        let time_ms = match batch.unit {
            TimeUnit::Second => batch.times.value(i).checked_mul(1_000),
            TimeUnit::Millisecond => Some(batch.times.value(i)),
            TimeUnit::Microsecond => whole(batch.times.value(i), 1_000),
            TimeUnit::Nanosecond => whole(batch.times.value(i), 1_000_000),
        };
        let Some(time_ms) = time_ms else {
            let remedy =
                "round the column to whole milliseconds (pandas: df.event_time.dt.floor('ms'))";
            return Err(bad(
                "event_time",
                "is not a whole millisecond".into(),
                remedy,
            ));
        };
        if !(0..=TIME_MS_MAX).contains(&time_ms) {
            let what = format!("is {time_ms} ms since 1970, outside the years 1970 to 9999");
            return Err(bad(
                "event_time",
                what,
                "check the unit the column was written in",
            ));
        }
        if time_ms < self.previous_time_ms {
            let what = format!(
                "goes back by {} ms from the row above",
                self.previous_time_ms - time_ms
            );
            return Err(bad("event_time", what, "sort the recording by event_time"));
        }
        if batch.coins.is_null(i) || batch.coins.value(i).is_empty() {
            return Err(bad("coin", "is empty".into(), "drop the row"));
        }
        let price = Some(&batch.prices)
            .filter(|prices| prices.is_valid(i))
            .map(|prices| prices.value(i));
        let price = match price {
            Some(price) if price.is_finite() => price,
            Some(price) => return Err(bad("price_usd", format!("is {price}"), "drop the row")),
            None => return Err(bad("price_usd", "is null".into(), "drop the row")),
        };
        // Absent is null on the wire, and NaN is how pandas spells absent.
        let known = |column: &Float64Array| {
            (column.is_valid(i) && column.value(i).is_finite()).then(|| column.value(i))
        };
        let tick = Tick {
            time_ms,
            price,
            market_cap: known(&batch.market_caps),
            volume_24h: known(&batch.volumes),
        };
        self.previous_time_ms = time_ms;
        let id = batch.coins.value(i);
        let coin = match self.indices.get(id) {
            Some(&coin) => coin,
            None => {
                let symbol = if batch.symbols.is_valid(i) {
                    batch.symbols.value(i)
                } else {
                    id
                };
                let coin = Coin::new(id, symbol, id);
                self.indices.insert(coin.id.clone(), self.coins.len());
                self.coins.push(coin);
                self.coins.len() - 1
            }
        };
        Ok(Row { coin, tick })
    }
}

/// Calls the Parquet crate, which panics for some files that are broken in the middle.
fn caught<T, E: ToString>(call: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let what = panic.downcast_ref::<String>().map(String::as_str);
            let what = what.or_else(|| panic.downcast_ref::<&str>().copied());
            let what = what.unwrap_or("no reason given");
            Err(format!("the file is damaged ({what})"))
        }
    }
}

fn whole(time: i64, per_ms: i64) -> Option<i64> {
    (time % per_ms == 0).then_some(time / per_ms)
}

fn check_columns(path: &Path, schema: &Schema) -> Result<(), RecordingError> {
    let missing: Vec<&str> = COLUMNS
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| schema.column_with_name(name).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(RecordingError::MissingColumns {
            path: path.into(),
            missing: missing.join(", "),
            needed: COLUMNS
                .map(|(name, data_type)| format!("{name} ({data_type})"))
                .join(", "),
        });
    }
    for (name, expected) in COLUMNS {
        let found = schema
            .field_with_name(name)
            .expect("every column is there, as just seen")
            .data_type();
        let remedy = match (name, found) {
            ("event_time", DataType::Timestamp(_, Some(_))) => continue,
            ("event_time", DataType::Timestamp(_, None)) => {
                "say which zone it is in (pandas: df.event_time.dt.tz_localize('UTC'))"
            }
            ("event_time", _) => "write it as a timestamp (pandas: pd.to_datetime(..., utc=True))",
            ("coin" | "symbol", found) if is_text(found) => continue,
            ("coin" | "symbol", _) => "write it as text (pandas: df[column].astype(str))",
            (_, found) if found.is_numeric() => continue,
            _ => "write it as a number (pandas: pd.to_numeric(df[column]))",
        };
        return Err(RecordingError::ColumnType {
            path: path.into(),
            column: name,
            found: found.to_string(),
            expected,
            remedy,
        });
    }
    Ok(())
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A batch of rows, every column in the one type it is read as.
struct Batch {
    unit: TimeUnit,
    times: Int64Array,
    coins: StringArray,
    symbols: StringArray,
    prices: Float64Array,
    market_caps: Float64Array,
    volumes: Float64Array,
}

impl Default for Batch {
    fn default() -> Self {
        let numbers = || Float64Array::from(Vec::<f64>::new());
        let texts = || StringArray::from(Vec::<&str>::new());
        Self {
            unit: TimeUnit::Millisecond,
            times: Int64Array::from(Vec::<i64>::new()),
            coins: texts(),
            symbols: texts(),
            prices: numbers(),
            market_caps: numbers(),
            volumes: numbers(),
        }
    }
}

impl Batch {
    fn new(batch: &RecordBatch) -> Result<Self, arrow_schema::ArrowError> {
        let column = |name: &str, as_type: &DataType| {
            let array = batch
                .column_by_name(name)
                .expect("the columns were checked when the file was opened");
            cast(array, as_type)
        };
        let number = |name: &str| {
            column(name, &DataType::Float64)
                .map(|array| array.as_primitive::<Float64Type>().clone())
        };
        let text = |name: &str| {
            column(name, &DataType::Utf8).map(|array| array.as_string::<i32>().clone())
        };
        let schema = batch.schema();
        let unit = match schema.field_with_name("event_time")?.data_type() {
            DataType::Timestamp(unit, _) => *unit,
            other => unreachable!("event_time was checked to be a timestamp, not {other}"),
        };
        Ok(Self {
            unit,
            times: column("event_time", &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
            coins: text("coin")?,
            symbols: text("symbol")?,
            prices: number("price_usd")?,
            market_caps: number("market_cap_usd")?,
            volumes: number("volume_24h_usd")?,
        })
    }
}
