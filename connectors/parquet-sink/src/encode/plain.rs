//! JSON as programs write it, without spaces and escapes, read straight into the columns: the general reader in `json` takes
//! several times as long.
//!
//! Always true: a field adds what the general reader would add, or nothing. At the first thing that is not plain (a space, an
//! escape, a nested value, a value that the column does not take) reading ends; the general reader then starts over and skips
//! the fields that are filled.

use sonic_number::{ParserNumber, parse_number};

use super::columns::ColumnBuilder;
use super::date::{MS_MAX, MS_MIN};
use super::fields::FieldsOfRow;

/// Adds an object's fields to their columns, and notes the row for each. `None` where something is not plain.
pub(super) fn read_plain(json: &[u8], row: &mut FieldsOfRow<'_>) -> Option<()> {
    let text = str::from_utf8(json).ok()?;
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip(b"{")?;
    // Fields mostly come in the order of the columns.
    let mut expected = 0;
    loop {
        let found = match row.fields.label(expected) {
            Some(label) if scanner.skip(label).is_some() => Some(expected),
            _ => {
                let name = scanner.string()?;
                scanner.skip(b":")?;
                row.fields.position(name)
            }
        };
        let value = scanner.value()?;
        let is_last = match scanner.next()? {
            b',' => false,
            b'}' => true,
            _ => return None,
        };
        if let Some(at) = found {
            expected = at + 1;
            let column = row.fields.column(at);
            if row.filled[column] != row.row {
                value.push(&mut row.columns[column], row.configured[column].nullable)?;
                row.filled[column] = row.row;
            }
        }
        if is_last {
            return (scanner.at == text.len()).then_some(());
        }
    }
}

/// A value that is not nested.
enum Value<'a> {
    Null,
    Bool(bool),
    Number(ParserNumber),
    String(&'a str),
}

impl Value<'_> {
    /// Adds it to a column that takes it.
    #[inline]
    fn push(self, column: &mut ColumnBuilder, nullable: bool) -> Option<()> {
        match (self, column) {
            (Value::Number(ParserNumber::Float(value)), ColumnBuilder::Float64(column)) => {
                column.append_value(value);
            }
            (Value::Number(ParserNumber::Unsigned(value)), ColumnBuilder::Float64(column)) => {
                column.append_value(value as f64);
            }
            (Value::Number(ParserNumber::Signed(value)), ColumnBuilder::Float64(column)) => {
                column.append_value(value as f64);
            }
            (Value::Number(number), ColumnBuilder::Int64(column)) => {
                column.append_value(integer(&number)?);
            }
            (Value::Number(number), ColumnBuilder::Timestamp(column)) => {
                let ms = integer(&number).filter(|ms| (MS_MIN..=MS_MAX).contains(ms))?;
                column.append_value(ms * 1_000);
            }
            (Value::String(value), ColumnBuilder::String(column)) => column.append_value(value),
            (Value::Bool(value), ColumnBuilder::Bool(column)) => column.append_value(value),
            (Value::Null, column) if nullable => column.push_null(),
            _ => return None,
        }
        Some(())
    }
}

fn integer(number: &ParserNumber) -> Option<i64> {
    match number {
        ParserNumber::Unsigned(value) => i64::try_from(*value).ok(),
        ParserNumber::Signed(value) => Some(*value),
        ParserNumber::Float(_) => None,
    }
}

/// A position in the text.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    #[inline]
    fn skip(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        rest.starts_with(bytes).then(|| self.at += bytes.len())
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        byte
    }

    /// A string without escapes and control characters.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.skip(b"\"")?;
        let start = self.at;
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let rest = &self.text.as_bytes()[start..];
        let end = start + rest.iter().position(special)?;
        self.at = end;
        self.skip(b"\"")?;
        self.text.get(start..end)
    }

    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        let bytes = self.text.as_bytes();
        match bytes.get(self.at)? {
            b'"' => self.string().map(Value::String),
            b'0'..=b'9' => self.number(false),
            b'-' => {
                self.at += 1;
                self.number(true)
            }
            b'n' => self.skip(b"null").map(|()| Value::Null),
            b't' => self.skip(b"true").map(|()| Value::Bool(true)),
            b'f' => self.skip(b"false").map(|()| Value::Bool(false)),
            _ => None,
        }
    }

    #[inline]
    fn number(&mut self, negative: bool) -> Option<Value<'a>> {
        let number = parse_number(self.text.as_bytes(), &mut self.at, negative);
        number.ok().map(Value::Number)
    }
}

#[cfg(test)]
mod tests;
