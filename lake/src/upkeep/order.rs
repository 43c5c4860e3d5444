//! The order of rows: by the table's sort columns, nulls first; where rows of several days come together, by day before that.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, TimeUnit};

use super::plan::date_of;

const DAY_US: i64 = 86_400_000_000;

/// The order that is wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// The columns to sort by. One that is missing, or of a type that has no plain order, does not count.
    pub(super) columns: Vec<String>,
    /// The timestamp column whose day comes first; `None` when all rows are of one day.
    pub(super) day: Option<String>,
}

/// The columns of one batch that say where its rows belong.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
enum Key {
    Text(StringArray),
    Int(Int32Array),
    Long(Int64Array),
    Time(TimestampMicrosecondArray),
    Day(TimestampMicrosecondArray),
}

impl Order {
    pub(super) fn keys(&self, batch: &RecordBatch) -> Keys {
        let day = self.day_column(batch).map(Key::Day);
        let columns = self.columns.iter();
        let columns = columns.filter_map(|name| Key::of(batch.column_by_name(name)?));
        Keys(day.into_iter().chain(columns).collect())
    }

    /// The parts of a sorted batch, each with its day, if there are several.
    pub(super) fn days(&self, batch: RecordBatch) -> Vec<(Option<String>, RecordBatch)> {
        let Some(times) = self.day_column(&batch) else {
            return vec![(None, batch)];
        };
        let mut parts = Vec::new();
        let mut begin = 0;
        while begin < batch.num_rows() {
            let first = day(&times, begin);
            let end = (begin..batch.num_rows()).find(|row| day(&times, *row) != first);
            let end = end.unwrap_or(batch.num_rows());
            let date = first.and_then(|day| date_of(day * (DAY_US / 1000)));
            parts.push((date, batch.slice(begin, end - begin)));
            begin = end;
        }
        parts
    }

    fn day_column(&self, batch: &RecordBatch) -> Option<TimestampMicrosecondArray> {
        let column = batch.column_by_name(self.day.as_ref()?)?;
        column.as_primitive_opt().cloned()
    }
}

/// The day of a row, counted from the epoch.
fn day(times: &TimestampMicrosecondArray, row: usize) -> Option<i64> {
    times
        .is_valid(row)
        .then(|| times.value(row).div_euclid(DAY_US))
}

impl Keys {
    /// How a row compares with one of another batch.
    pub(super) fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs
            .map(|(key, other)| key.compare(row, other, other_row))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Key {
    fn of(column: &ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::Utf8 => Some(Self::Text(column.as_string().clone())),
            DataType::Int32 => Some(Self::Int(column.as_primitive::<Int32Type>().clone())),
            DataType::Int64 => Some(Self::Long(column.as_primitive::<Int64Type>().clone())),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Some(Self::Time(
                column.as_primitive::<TimestampMicrosecondType>().clone(),
            )),
            _ => None,
        }
    }

    fn compare(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
        /// The value there, or `None` for null.
        macro_rules! at {
            ($column:ident, $row:ident) => {
                $column.is_valid($row).then(|| $column.value($row))
            };
        }
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => at!(a, row).cmp(&at!(b, other_row)),
            (Self::Int(a), Self::Int(b)) => at!(a, row).cmp(&at!(b, other_row)),
            (Self::Long(a), Self::Long(b)) => at!(a, row).cmp(&at!(b, other_row)),
            (Self::Time(a), Self::Time(b)) => at!(a, row).cmp(&at!(b, other_row)),
            (Self::Day(a), Self::Day(b)) => day(a, row).cmp(&day(b, other_row)),
            _ => Ordering::Equal,
        }
    }
}
