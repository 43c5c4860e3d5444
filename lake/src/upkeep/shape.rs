//! Rows of a file as rows of a table: its columns in its types. Files of other releases and of other programs may have
//! other ones for the same values.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};

/// The columns of a table.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) schema: SchemaRef,
    /// Columns that have another name in the file, by their name in the table.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// The rows of a batch. A column that the batch lacks is null.
    ///
    /// # Errors
    /// When it holds what the table does not take.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.schema.fields().iter().map(|field| {
            let name = field.name();
            let renamed = self.renamed.iter().find(|(of_table, _)| of_table == name);
            let of_file = renamed.map_or(name.as_str(), |(_, of_file)| of_file);
            match batch.column_by_name(of_file) {
                Some(column) => converted(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        });
        let columns: Result<Vec<ArrayRef>, ArrowError> = columns.collect();
        RecordBatch::try_new(self.schema.clone(), columns?)
    }
}

fn converted(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    Ok(match (column.data_type(), wanted) {
        (same, wanted) if same == wanted => column.clone(),
        (DataType::Timestamp(TimeUnit::Millisecond, _), DataType::Timestamp(_, zone)) => {
            let ms = column.as_primitive::<TimestampMillisecondType>();
            let us = ms.try_unary::<_, TimestampMicrosecondType, _>(|ms| {
                let overflow = || ArrowError::ComputeError(format!("{ms} ms is no time"));
                ms.checked_mul(1000).ok_or_else(overflow)
            })?;
            Arc::new(us.with_timezone_opt(zone.clone()))
        }
        (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(_, zone)) => {
            let us = column.as_primitive::<TimestampMicrosecondType>();
            Arc::new(us.clone().with_timezone_opt(zone.clone()))
        }
        (DataType::Binary, DataType::Utf8) => {
            let texts = column.as_binary::<i32>().iter();
            let texts = texts.map(|bytes| bytes.map(String::from_utf8_lossy));
            Arc::new(texts.collect::<StringArray>())
        }
        (DataType::List(_), DataType::List(element)) => {
            let (_, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
            Arc::new(ListArray::try_new(element.clone(), offsets, values, nulls)?)
        }
        // Refused with a sentence when the batch is put together.
        _ => column.clone(),
    })
}
