//! A layer's Arrow schema, and how its Parquet files are written.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::config::{Column, ColumnType, LINEAGE_COLUMNS, Layer};

/// A bloom filter starts with room for this many different keys, and shrinks to what a row group has.
const BLOOM_KEYS_MAX: u64 = 100_000;
/// zstd's fastest standard level: higher ones cost throughput and save a few percent.
const ZSTD_LEVEL: i32 = 1;

/// What a layer's files look like.
#[derive(Debug)]
pub struct LayerSchema {
    /// The layer's configuration.
    pub layer: Layer,
    /// The configured columns, followed by [`LINEAGE_COLUMNS`].
    pub arrow: SchemaRef,
    /// Compression, encodings and bloom filters.
    pub properties: WriterProperties,
    /// Position of the date column.
    pub date_column: usize,
}

impl LayerSchema {
    /// The schema of a layer from a checked configuration.
    pub fn new(layer: &Layer) -> Self {
        let mut fields: Vec<Field> = layer.columns.iter().map(field).collect();
        fields.push(Field::new(LINEAGE_COLUMNS[0], DataType::Utf8, false));
        fields.push(Field::new(LINEAGE_COLUMNS[1], DataType::Int32, false));
        fields.push(Field::new(LINEAGE_COLUMNS[2], DataType::Int64, false));
        let date_column = layer
            .columns
            .iter()
            .position(|column| column.name == layer.date);
        Self {
            properties: properties(layer, &fields),
            arrow: Arc::new(Schema::new(Fields::from(fields))),
            date_column: date_column.expect("the plan checked that the date is a column"),
            layer: layer.clone(),
        }
    }

    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.layer.name
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

/// The type of timestamp columns: milliseconds, UTC.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// The field of a string list's elements.
pub fn list_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Utf8, false))
}

fn properties(layer: &Layer, fields: &[Field]) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_created_by(format!("parquet-sink {}", env!("CARGO_PKG_VERSION")));
    for field in fields {
        let path = ColumnPath::from(field.name().as_str());
        match field.data_type() {
            // Hardly any value repeats: the writer would build a dictionary and drop it.
            DataType::Float64 => {
                properties = properties.set_column_dictionary_enabled(path, false);
            }
            // Almost ascending.
            DataType::Int64 | DataType::Timestamp(..) => {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
            _ => {}
        }
    }
    for column in layer.columns.iter().filter(|column| column.bloom) {
        let path = ColumnPath::from(column.name.as_str());
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path, BLOOM_KEYS_MAX);
    }
    properties.build()
}
