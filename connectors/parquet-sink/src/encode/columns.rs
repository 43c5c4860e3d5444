//! Arrow builders of a table's columns.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};

use super::date::{MS_MAX, MS_MIN};
use super::schema::{list_item, timestamp_type};
use crate::config::ColumnType;

/// Rows of a batch: few enough to stay in the processor's cache, enough to make the cost of a batch negligible.
pub const BATCH_ROWS: usize = 8192;

/// A column's values so far.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    String(StringBuilder),
    Binary(BinaryBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Bool(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Strings(ListBuilder<StringBuilder>),
}

impl ColumnBuilder {
    /// A column without values.
    pub(super) fn new(kind: ColumnType) -> Self {
        let rows = BATCH_ROWS;
        match kind {
            ColumnType::String => Self::String(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Binary => Self::Binary(BinaryBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::Float64 => Self::Float64(Float64Builder::with_capacity(rows)),
            ColumnType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ColumnType::Timestamp => Self::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(timestamp_type()),
            ),
            ColumnType::Strings => {
                Self::Strings(ListBuilder::new(StringBuilder::new()).with_field(list_item()))
            }
        }
    }

    /// What the column takes, for messages.
    pub(super) fn expects(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Binary(_) => "bytes",
            Self::Int64(_) => "a 64-bit integer",
            Self::Float64(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Timestamp(_) => {
                "milliseconds since the epoch or an RFC 3339 time, of the years 1 to 9999"
            }
            Self::Strings(_) => "a list of strings",
        }
    }

    /// Adds a null.
    pub(super) fn push_null(&mut self) {
        match self {
            Self::String(column) => column.append_null(),
            Self::Binary(column) => column.append_null(),
            Self::Int64(column) => column.append_null(),
            Self::Float64(column) => column.append_null(),
            Self::Bool(column) => column.append_null(),
            Self::Timestamp(column) => column.append_null(),
            Self::Strings(column) => column.append(false),
        }
    }

    /// Adds bytes to a string or binary column; false when a null was added.
    pub(super) fn push_bytes(&mut self, bytes: Option<&[u8]>) -> bool {
        match (self, bytes) {
            (Self::String(column), Some(bytes)) => match str::from_utf8(bytes) {
                Ok(text) => column.append_value(text),
                Err(_) => column.append_value(String::from_utf8_lossy(bytes)),
            },
            (Self::Binary(column), Some(bytes)) => column.append_value(bytes),
            (column, _) => {
                column.push_null();
                return false;
            }
        }
        true
    }

    /// Adds a record's own timestamp to a timestamp column. Producers write what they like there: a time outside of the
    /// calendar becomes its first or last instant.
    pub(super) fn push_time(&mut self, ms: i64) -> bool {
        match self {
            Self::Timestamp(column) => column.append_value(ms.clamp(MS_MIN, MS_MAX) * 1_000),
            column => column.push_null(),
        }
        true
    }

    /// The last value of a timestamp column in milliseconds; `None` when it is null.
    pub(super) fn last_time_ms(&self) -> Option<i64> {
        let Self::Timestamp(times) = self else {
            return None;
        };
        let row = times.values_slice().len().checked_sub(1)?;
        let validity = times.validity_slice();
        let valid = validity.is_none_or(|bits| bits[row / 8] & (1 << (row % 8)) != 0);
        valid.then(|| times.values_slice()[row].div_euclid(1_000))
    }

    /// All values as an array; the column is empty afterwards.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::String(column) => Arc::new(column.finish()),
            Self::Binary(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::Float64(column) => Arc::new(column.finish()),
            Self::Bool(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish()),
            Self::Strings(column) => Arc::new(column.finish()),
        }
    }
}
