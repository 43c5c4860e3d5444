//! Which columns are taken from an output's JSON, and by which field; and a row of them, while it is read.

use super::columns::ColumnBuilder;
use crate::config::Column;

/// The columns that are taken from the JSON.
#[derive(Debug)]
pub(super) struct Fields(Vec<Field>);

#[derive(Debug)]
struct Field {
    name: String,
    /// The name as it stands before the value, where it is plain.
    label: Vec<u8>,
    /// The position among all columns.
    column: usize,
}

impl Fields {
    /// The fields of these columns.
    pub(super) fn of(columns: &[Column]) -> Self {
        let columns = columns.iter().enumerate();
        let fields = columns.filter(|(_, column)| column.from.is_none());
        let field = |(i, column): (usize, &Column)| Field {
            name: column.name.clone(),
            label: format!("{}:", serde_json::Value::from(column.name.as_str())).into_bytes(),
            column: i,
        };
        Self(fields.map(field).collect())
    }

    /// Whether no column is taken from the JSON.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The field of this name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field.name == name)
    }

    /// The name of a field.
    pub(super) fn name(&self, field: usize) -> Option<&str> {
        Some(&self.0.get(field)?.name)
    }

    /// The field's name as programs write it before the value, without spaces.
    pub(super) fn label(&self, field: usize) -> Option<&[u8]> {
        Some(&self.0.get(field)?.label)
    }

    /// The position of the field's column among all columns.
    pub(super) fn column(&self, field: usize) -> usize {
        self.0[field].column
    }
}

/// The columns as one row's JSON is read into them.
pub(super) struct FieldsOfRow<'r> {
    pub(super) fields: &'r Fields,
    pub(super) configured: &'r [Column],
    pub(super) columns: &'r mut [ColumnBuilder],
    /// For each column, the last row that has a value.
    pub(super) filled: &'r mut [usize],
    /// This row, counted from 1.
    pub(super) row: usize,
}
