//! How data files are encoded.

use arrow_schema::{DataType, Schema};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

/// A bloom filter starts with room for this many different keys, and shrinks to what a row group has.
const BLOOM_KEYS_MAX: u64 = 100_000;
/// zstd's fastest standard level: higher ones cost throughput and save a few percent.
const ZSTD_LEVEL: i32 = 1;

/// How a table's files are encoded: what every reader of Delta tables reads, with bloom filters on the columns `bloom`.
pub fn parquet_properties<S: AsRef<str>>(
    schema: &Schema,
    bloom: impl IntoIterator<Item = S>,
) -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_created_by(format!("coinlake {}", env!("CARGO_PKG_VERSION")));
    for field in schema.fields() {
        // Hardly any value repeats, and zstd makes smaller files of plain numbers and times than of dictionaries.
        if let DataType::Float64 | DataType::Int64 | DataType::Timestamp(..) = field.data_type() {
            let path = ColumnPath::from(field.name().as_str());
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    for column in bloom {
        let path = ColumnPath::from(column.as_ref());
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path, BLOOM_KEYS_MAX);
    }
    properties
}
