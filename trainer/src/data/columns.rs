//! Rows out of a Parquet file of the layer.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use bytes::Bytes;
use market::WindowFeatures;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::DataError;
use super::range::TimeRange;
use super::rows::RowsBuilder;

/// Adds the rows of a file's row groups that lie in the range.
pub(super) fn decode(
    path: &str,
    contents: Bytes,
    row_groups: Vec<usize>,
    range: TimeRange,
    builder: &mut RowsBuilder,
) -> Result<(), DataError> {
    let unreadable = |reason: String| DataError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(contents)
        .map_err(|error| unreadable(error.to_string()))?;
    // From before features had versions: the other columns may be missing, too.
    let schema = reader.parquet_schema();
    if !schema
        .columns()
        .iter()
        .any(|column| column.name() == "features_version")
    {
        let groups = row_groups
            .iter()
            .map(|group| reader.metadata().row_group(*group));
        let rows: i64 = groups.map(|group| group.num_rows()).sum();
        builder.leave_out(usize::try_from(rows).unwrap_or_default());
        return Ok(());
    }
    let mask = ProjectionMask::columns(reader.parquet_schema(), COLUMNS);
    let batches = reader
        .with_projection(mask)
        .with_row_groups(row_groups)
        .build()
        .map_err(|error| unreadable(error.to_string()))?;
    for batch in batches {
        let batch = batch.map_err(|error| unreadable(error.to_string()))?;
        Columns::of(path, &batch)?.push(range, builder);
    }
    Ok(())
}

macro_rules! columns {
    ($($kind:ident $name:ident,)*) => {
        /// The columns to read.
        const COLUMNS: [&str; 3 + [$(stringify!($name)),*].len()] =
            ["coin", "event_time", "price", $(stringify!($name)),*];

        /// The typed columns of a batch.
        struct Columns<'a> {
            coin: &'a arrow_array::StringArray,
            event_time: &'a arrow_array::TimestampMillisecondArray,
            price: &'a arrow_array::Float64Array,
            $($name: &'a columns!(@type $kind),)*
        }

        impl<'a> Columns<'a> {
            fn of(path: &str, batch: &'a RecordBatch) -> Result<Self, DataError> {
                fn find<'a, T>(
                    path: &str,
                    batch: &'a RecordBatch,
                    column: &'static str,
                    expected: &'static str,
                    typed: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
                ) -> Result<&'a T, DataError> {
                    batch.column_by_name(column).and_then(typed).ok_or_else(|| DataError::Column {
                        path: path.to_owned(),
                        column,
                        expected,
                    })
                }
                Ok(Self {
                    coin: find(path, batch, "coin", "string", |a| a.as_string_opt())?,
                    event_time: find(path, batch, "event_time", "timestamp", |a| {
                        a.as_primitive_opt::<TimestampMillisecondType>()
                    })?,
                    price: find(path, batch, "price", "float64", |a| a.as_primitive_opt::<Float64Type>())?,
                    $($name: columns!(@find $kind, path, batch, stringify!($name)),)*
                })
            }

            fn windows(&self, row: usize) -> WindowFeatures {
                WindowFeatures {
                    $($name: columns!(@value $kind, self.$name, row),)*
                    ..WindowFeatures::default()
                }
            }
        }
    };
    (@type number) => { arrow_array::Float64Array };
    (@type count) => { arrow_array::Int64Array };
    (@find number, $path:expr, $batch:expr, $name:expr) => {
        find($path, $batch, $name, "float64", |a| a.as_primitive_opt::<Float64Type>())?
    };
    (@find count, $path:expr, $batch:expr, $name:expr) => {
        find($path, $batch, $name, "int64", |a| a.as_primitive_opt::<Int64Type>())?
    };
    (@value number, $array:expr, $row:expr) => { $array.is_valid($row).then(|| $array.value($row)) };
    (@value count, $array:expr, $row:expr) => {
        $array.is_valid($row).then(|| u32::try_from($array.value($row)).ok()).flatten()
    };
}

columns! {
    count features_version,
    number ma_5m,
    number ma_15m,
    count samples_15m,
    number volatility_5m,
    number volatility_15m,
    number return_1m,
    number return_5m,
    number return_15m,
    number zscore_15m,
    number return_zscore_15m,
    number volume_ratio,
    number move_15m,
    number volume_surge,
}

impl Columns<'_> {
    fn push(&self, range: TimeRange, builder: &mut RowsBuilder) {
        for row in 0..self.price.len() {
            let whole = self.coin.is_valid(row)
                && self.event_time.is_valid(row)
                && self.price.is_valid(row);
            let event_time = self.event_time.value(row);
            if whole && range.contains(event_time) {
                let windows = self.windows(row);
                builder.push(
                    self.coin.value(row),
                    event_time,
                    self.price.value(row),
                    &windows,
                );
            }
        }
    }
}
