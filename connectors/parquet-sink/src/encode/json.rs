//! A JSON object's fields, read into the columns of a row.
//!
//! Always true: each value that is read adds exactly one value to its column. After an error a column may hold one more,
//! perhaps incomplete, which the caller cuts off.

use arrow_array::builder::StringBuilder;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::columns::ColumnBuilder;
use super::date::{MS_MAX, MS_MIN};
use super::fields::{Fields, FieldsOfRow};
use super::plain::read_plain;

/// Adds an object's fields to their columns, and notes the row for each.
///
/// # Errors
/// A phrase that names the column.
pub(super) fn read_object(json: &[u8], row: &mut FieldsOfRow<'_>) -> Result<(), String> {
    match read_plain(json, row) {
        Some(()) => Ok(()),
        None => read_any(json, row),
    }
}

/// Reads whatever is JSON; fields that are filled already are skipped.
pub(super) fn read_any(json: &[u8], row: &mut FieldsOfRow<'_>) -> Result<(), String> {
    let mut json = sonic_rs::Deserializer::from_slice(json);
    json.deserialize_map(RowVisitor(row))
        .and_then(|()| json.end())
        .map_err(|error| first_line(&error))
}

/// The message without the excerpt that the parser adds below it.
fn first_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

struct RowVisitor<'a, 'r>(&'a mut FieldsOfRow<'r>);

impl<'de> Visitor<'de> for RowVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(row) = self;
        // Fields mostly come in the order of the columns.
        let mut expected = 0;
        while let Some(found) = map.next_key_seed(FieldSeed {
            fields: row.fields,
            expected,
        })? {
            let Some(at) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            let i = row.fields.column(at);
            if row.filled[i] == row.row {
                // The first of two equal fields counts.
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let column = &row.configured[i];
            let filled = map.next_value_seed(ValueSeed {
                column: &mut row.columns[i],
                name: &column.name,
            })?;
            if !filled && !column.nullable {
                return Err(A::Error::custom(format_args!(
                    "column `{}`: the field is null, and the column is not nullable",
                    column.name
                )));
            }
            row.filled[i] = row.row;
        }
        Ok(())
    }
}

/// Finds the position of a field name in [`Fields`].
struct FieldSeed<'f> {
    fields: &'f Fields,
    /// The most likely position.
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if self.fields.name(self.expected) == Some(name) {
            return Ok(Some(self.expected));
        }
        Ok(self.fields.position(name))
    }
}

/// Adds one JSON value to a column; false when it was null.
struct ValueSeed<'c> {
    column: &'c mut ColumnBuilder,
    /// The column's name, for messages.
    name: &'c str,
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
            ColumnBuilder::Timestamp(column) if (MS_MIN..=MS_MAX).contains(&value) => {
                column.append_value(value * 1_000);
            }
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
            _ => return Err(self.wrong("a number with a fraction, or one that is too large")),
        }
        Ok(true)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
        match self.column {
            ColumnBuilder::String(column) => column.append_value(value),
            ColumnBuilder::Timestamp(column) => match value.parse::<jiff::Timestamp>() {
                Ok(time) if (MS_MIN..=MS_MAX).contains(&time.as_millisecond()) => {
                    column.append_value(time.as_microsecond());
                }
                _ => return Err(self.wrong("a string that is not an RFC 3339 time")),
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

/// Adds one element to a list of strings.
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
