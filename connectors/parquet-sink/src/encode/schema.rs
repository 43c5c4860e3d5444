//! A table's schema, and how its Parquet files are written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use lake::parquet_properties;
use parquet::file::properties::WriterProperties;

use crate::config::{Column, ColumnType, LINEAGE_COLUMNS, Layer};

/// The key of a column's comment in the metadata of its field.
const COMMENT: &str = "comment";

/// What a table's files look like.
#[derive(Debug)]
pub struct LayerSchema {
    /// The table's configuration.
    pub layer: Layer,
    /// The configured columns, followed by [`LINEAGE_COLUMNS`].
    pub arrow: SchemaRef,
    /// Compression, encodings and bloom filters.
    pub properties: WriterProperties,
    /// Position of the date column.
    pub date_column: usize,
}

impl LayerSchema {
    /// The schema of a table from a checked configuration.
    pub fn new(layer: &Layer) -> Self {
        let mut fields: Vec<Field> = layer.columns.iter().map(field).collect();
        let lineage = [DataType::Utf8, DataType::Int32, DataType::Int64];
        fields.extend(
            LINEAGE_COLUMNS
                .iter()
                .zip(lineage)
                .map(|((name, _), kind)| Field::new(*name, kind, false)),
        );
        let date_column = layer
            .columns
            .iter()
            .position(|column| column.name == layer.date);
        let arrow = Arc::new(Schema::new(Fields::from(fields)));
        let bloom = layer.columns.iter().filter(|column| column.bloom);
        let bloom = bloom.map(|column| &column.name);
        Self {
            properties: parquet_properties(&arrow, bloom).build(),
            arrow,
            date_column: date_column.expect("the plan checked that the date is a column"),
            layer: layer.clone(),
        }
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.layer.name
    }

    /// The columns with their comments, which belong into the table's schema and not into every file.
    pub(crate) fn with_comments(&self) -> SchemaRef {
        let configured = self
            .layer
            .columns
            .iter()
            .map(|column| column.comment.as_deref());
        let lineage = LINEAGE_COLUMNS.iter().map(|(_, comment)| Some(*comment));
        let fields = self.arrow.fields().iter().zip(configured.chain(lineage));
        let fields = fields.map(|(field, comment)| {
            let comment = comment.map(|comment| (COMMENT.to_owned(), comment.to_owned()));
            let metadata: HashMap<String, String> = comment.into_iter().collect();
            Field::clone(field).with_metadata(metadata)
        });
        Arc::new(Schema::new(fields.collect::<Fields>()))
    }
}

fn field(column: &Column) -> Field {
    let kind = match column.kind {
        ColumnType::String => DataType::Utf8,
        ColumnType::Binary => DataType::Binary,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Timestamp => timestamp_type(),
        ColumnType::Strings => DataType::List(list_item()),
    };
    Field::new(&column.name, kind, column.nullable)
}

/// The type of timestamp columns: microseconds, UTC, as Delta has them.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The field of a string list's elements, named as Parquet's specification names it.
pub fn list_item() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, false))
}
