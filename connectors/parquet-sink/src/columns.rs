//! One column, filled value by value from JSON or from the record itself.
//!
//! Always true: each call adds exactly one value, or fails and adds none or an unfinished one that the caller cuts off.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder,
    StringBuilder, TimestampMillisecondBuilder,
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::config::ColumnType;
use crate::rows::BATCH_ROWS;
use crate::schema::{list_item, timestamp_type};

/// Puts one JSON value into a column; false when it was null.
pub(crate) struct ValueSeed<'c> {
    pub column: &'c mut ColumnBuilder,
    /// For messages.
    pub name: &'c str,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl ValueSeed<'_> {
    fn wrong<E: serde::de::Error>(&self, found: &str) -> E {
        E::custom(format_args!(
            "column `{}`: expected {}, found {found}",
            self.name,
            self.column.expects()
        ))
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.column.expects())
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        self.column.push_null();
        Ok(false)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<bool, E> {
        match self.column {
            ColumnBuilder::Bool(column) => column.append_value(value),
            _ => return Err(self.wrong("a boolean")),
        }
        Ok(true)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<bool, E> {
        match self.column {
            ColumnBuilder::Int64(column) => column.append_value(value),
            ColumnBuilder::Timestamp(column) => column.append_value(value),
            ColumnBuilder::Float64(column) => column.append_value(value as f64),
            _ => return Err(self.wrong("a number")),
        }
        Ok(true)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<bool, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<bool, E> {
        match self.column {
            ColumnBuilder::Float64(column) => column.append_value(value),
            _ => return Err(self.wrong("a number with a fraction, or too large a one")),
        }
        Ok(true)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
        match self.column {
            ColumnBuilder::String(column) => column.append_value(value),
            ColumnBuilder::Timestamp(column) => match value.parse::<jiff::Timestamp>() {
                Ok(time) => column.append_value(time.as_millisecond()),
                Err(_) => return Err(self.wrong("a string that is no RFC 3339 time")),
            },
            _ => return Err(self.wrong("a string")),
        }
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let name = self.name;
        let ColumnBuilder::Strings(column) = self.column else {
            return Err(self.wrong("a list"));
        };
        while let Some(()) = list.next_element_seed(ElementSeed {
            items: column.values(),
            name,
        })? {}
        column.append(true);
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, _map: A) -> Result<bool, A::Error> {
        Err(self.wrong("an object"))
    }
}

struct ElementSeed<'c> {
    items: &'c mut StringBuilder,
    name: &'c str,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ElementSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a string in the list `{}`", self.name)
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.items.append_value(value);
        Ok(())
    }
}

/// The values of a column so far.
#[derive(Debug)]
pub(crate) enum ColumnBuilder {
    String(StringBuilder),
    Binary(BinaryBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Bool(BooleanBuilder),
    Timestamp(TimestampMillisecondBuilder),
    Strings(ListBuilder<StringBuilder>),
}

impl ColumnBuilder {
    /// No values yet.
    pub fn new(kind: ColumnType) -> Self {
        let rows = BATCH_ROWS;
        match kind {
            ColumnType::String => Self::String(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Binary => Self::Binary(BinaryBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::Float64 => Self::Float64(Float64Builder::with_capacity(rows)),
            ColumnType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ColumnType::Timestamp => Self::Timestamp(
                TimestampMillisecondBuilder::with_capacity(rows).with_data_type(timestamp_type()),
            ),
            ColumnType::Strings => {
                Self::Strings(ListBuilder::new(StringBuilder::new()).with_field(list_item()))
            }
        }
    }

    fn expects(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Binary(_) => "bytes",
            Self::Int64(_) => "a 64-bit integer",
            Self::Float64(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Timestamp(_) => "milliseconds since the epoch or an RFC 3339 time",
            Self::Strings(_) => "a list of strings",
        }
    }

    /// Adds a null.
    pub fn push_null(&mut self) {
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

    /// Adds bytes to a string or binary column; false when it became a null.
    pub fn push_bytes(&mut self, bytes: Option<&[u8]>) -> bool {
        match (self, bytes) {
            (Self::String(column), Some(bytes)) => {
                column.append_value(String::from_utf8_lossy(bytes));
            }
            (Self::Binary(column), Some(bytes)) => column.append_value(bytes),
            (column, _) => {
                column.push_null();
                return false;
            }
        }
        true
    }

    /// Adds to a timestamp column.
    pub fn push_time(&mut self, ms: i64) -> bool {
        match self {
            Self::Timestamp(column) => column.append_value(ms),
            column => column.push_null(),
        }
        true
    }

    /// The last value, of a timestamp column.
    pub fn last_time(&self) -> Option<i64> {
        let Self::Timestamp(times) = self else {
            return None;
        };
        let row = times.values_slice().len().checked_sub(1)?;
        let validity = times.validity_slice();
        let valid = validity.is_none_or(|bits| bits[row / 8] & (1 << (row % 8)) != 0);
        valid.then(|| times.values_slice()[row])
    }

    /// All values as an array; starts over.
    pub fn finish(&mut self) -> ArrayRef {
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
