//! Statistics of a data file, as Delta's log holds them: rows, and bounds and nulls of each column.
//!
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics>

use jiff::Timestamp;
use parquet::basic::{LogicalType, TimeUnit, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is known of a file without opening it. Bounds may be wider than the values, never narrower.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FileStats {
    /// `None` when whoever added the file did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) num_records: Option<u64>,
    pub(crate) min_values: Map<String, Value>,
    pub(crate) max_values: Map<String, Value>,
    pub(crate) null_count: Map<String, Value>,
}

impl FileStats {
    /// The statistics in the footer of a file. Columns that are lists have none, and a column has none without bounds in
    /// every row group.
    pub(crate) fn of_footer(metadata: &ParquetMetaData) -> Self {
        let mut stats = Self {
            num_records: u64::try_from(metadata.file_metadata().num_rows()).ok(),
            ..Self::default()
        };
        let leaves = metadata.file_metadata().schema_descr().columns().iter();
        for (i, leaf) in leaves.enumerate() {
            let [name] = leaf.path().parts() else {
                continue;
            };
            let chunks = metadata.row_groups().iter().map(|group| group.column(i));
            let chunks: Vec<&ColumnChunkMetaData> = chunks.collect();
            stats.add(name, &chunks);
        }
        stats
    }

    fn add(&mut self, name: &str, chunks: &[&ColumnChunkMetaData]) {
        let of =
            |chunk: &&ColumnChunkMetaData| chunk.statistics().and_then(Statistics::null_count_opt);
        let nulls: Option<u64> = chunks.iter().map(of).sum();
        if let Some(nulls) = nulls {
            self.null_count.insert(name.to_owned(), nulls.into());
        }
        let mut bounds: Option<(Bound, Bound)> = None;
        for chunk in chunks {
            let all_null =
                of(chunk).is_some_and(|nulls| i64::try_from(nulls) == Ok(chunk.num_values()));
            match (chunk_bounds(chunk), bounds.take()) {
                (Some((low, high)), Some((min, max))) => {
                    bounds = Some((min.lesser(low), max.greater(high)));
                }
                (Some(first), None) => bounds = Some(first),
                (None, before) if all_null => bounds = before,
                (None, _) => return,
            }
        }
        if let Some((min, max)) = bounds
            && let (Some(min), Some(max)) = (min.to_json(), max.to_json())
        {
            self.min_values.insert(name.to_owned(), min);
            self.max_values.insert(name.to_owned(), max);
        }
    }

    pub(crate) fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names and plain values")
    }

    /// The bounds of an integer column, or of a timestamp column in milliseconds since the epoch.
    pub(crate) fn bounds(&self, column: &str) -> Option<(i64, i64)> {
        let min = whole(self.min_values.get(column)?, Timestamp::as_millisecond)?;
        // Others may write microseconds that are cut off: then the last millisecond is not full.
        let max = whole(self.max_values.get(column)?, |time| {
            time.as_microsecond().div_euclid(1000) + 1
        })?;
        let exact =
            matches!(self.max_values.get(column), Some(Value::String(text)) if is_whole_ms(text));
        Some((min, if exact { max - 1 } else { max }))
    }

    /// Whether a string column may hold this value.
    pub(crate) fn may_hold(&self, column: &str, value: &str) -> bool {
        let bound = |bounds: &Map<String, Value>| Some(bounds.get(column)?.as_str()?.to_owned());
        let not_below = bound(&self.min_values).is_none_or(|min| min.as_str() <= value);
        // Other writers cut long values off, Spark with a tie breaker behind.
        let not_above = bound(&self.max_values)
            .is_none_or(|max| value <= max.as_str() || value.starts_with(max.as_str()));
        not_below && not_above
    }
}

fn whole(bound: &Value, of_time: impl Fn(Timestamp) -> i64) -> Option<i64> {
    match bound {
        Value::String(text) => text.parse().ok().map(of_time),
        number => number.as_i64(),
    }
}

fn is_whole_ms(text: &str) -> bool {
    text.parse::<Timestamp>()
        .is_ok_and(|time| time.as_nanosecond() % 1_000_000 == 0)
}

/// The least or greatest value of a column.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Long(i64),
    Double(f64),
    Text(String),
    /// Microseconds since the epoch.
    Time(i64),
}

impl Bound {
    fn is_less(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Long(a), Self::Long(b)) | (Self::Time(a), Self::Time(b)) => a < b,
            (Self::Double(a), Self::Double(b)) => a < b,
            (Self::Text(a), Self::Text(b)) => a < b,
            _ => false,
        }
    }

    fn lesser(self, other: Self) -> Self {
        match other.is_less(&self) {
            true => other,
            false => self,
        }
    }

    fn greater(self, other: Self) -> Self {
        match self.is_less(&other) {
            true => other,
            false => self,
        }
    }

    /// `None` for what JSON cannot hold.
    fn to_json(&self) -> Option<Value> {
        match self {
            Self::Long(value) => Some((*value).into()),
            Self::Double(value) => serde_json::Number::from_f64(*value).map(Value::Number),
            Self::Text(text) => Some(text.clone().into()),
            Self::Time(us) => Some(format!("{:.6}", Timestamp::from_microsecond(*us).ok()?).into()),
        }
    }
}

fn chunk_bounds(chunk: &ColumnChunkMetaData) -> Option<(Bound, Bound)> {
    let column = chunk.column_descr();
    let text =
        |bytes: &parquet::data_type::ByteArray| Some(Bound::Text(bytes.as_utf8().ok()?.to_owned()));
    match (chunk.statistics()?, column.logical_type_ref()) {
        (Statistics::Int64(v), Some(LogicalType::Timestamp(time))) => {
            let us = |value: i64| match time.unit {
                TimeUnit::MICROS => Some(value),
                TimeUnit::MILLIS => value.checked_mul(1000),
                TimeUnit::NANOS => None,
            };
            Some((
                Bound::Time(us(*v.min_opt()?)?),
                Bound::Time(us(*v.max_opt()?)?),
            ))
        }
        (Statistics::Int64(v), _) => Some((Bound::Long(*v.min_opt()?), Bound::Long(*v.max_opt()?))),
        (Statistics::Int32(v), _) if column.physical_type() == Type::INT32 => {
            let (min, max) = (*v.min_opt()?, *v.max_opt()?);
            Some((Bound::Long(min.into()), Bound::Long(max.into())))
        }
        (Statistics::Double(v), _) => {
            Some((Bound::Double(*v.min_opt()?), Bound::Double(*v.max_opt()?)))
        }
        (Statistics::ByteArray(v), Some(LogicalType::String)) => {
            Some((text(v.min_opt()?)?, text(v.max_opt()?)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::ParquetMetaDataReader;
    use serde_json::json;

    use super::*;

    fn stats(columns: Vec<(&str, ArrayRef)>) -> FileStats {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.flush().unwrap();
        writer.write(&batch).unwrap();
        let contents = bytes::Bytes::from(writer.into_inner().unwrap());
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&contents)
            .unwrap();
        FileStats::of_footer(&metadata)
    }

    #[test]
    fn a_footer_tells_rows_bounds_and_nulls() {
        let times =
            TimestampMicrosecondArray::from(vec![1_748_736_000_001_000, 1_748_736_000_000_000]);
        let stats = stats(vec![
            (
                "coin",
                Arc::new(StringArray::from(vec![Some("bitcoin"), None])),
            ),
            ("at", Arc::new(times.with_timezone("UTC"))),
            ("price", Arc::new(Float64Array::from(vec![1.5, -2.0]))),
            ("offset", Arc::new(Int64Array::from(vec![7, 8]))),
            ("empty", Arc::new(Int64Array::from(vec![None, None]))),
        ]);
        let expected = json!({
            "numRecords": 4,
            "minValues": {"coin": "bitcoin", "at": "2025-06-01T00:00:00.000000Z", "price": -2.0, "offset": 7},
            "maxValues": {"coin": "bitcoin", "at": "2025-06-01T00:00:00.001000Z", "price": 1.5, "offset": 8},
            "nullCount": {"coin": 2, "at": 0, "price": 0, "offset": 0, "empty": 4},
        });
        assert_eq!(
            serde_json::from_str::<Value>(&stats.to_json()).unwrap(),
            expected
        );
        assert_eq!(
            stats.bounds("at"),
            Some((1_748_736_000_000, 1_748_736_000_001))
        );
        assert_eq!(stats.bounds("offset"), Some((7, 8)));
        assert_eq!(stats.bounds("empty"), None);
        assert!(stats.may_hold("coin", "bitcoin") && !stats.may_hold("coin", "solana"));
        assert!(stats.may_hold("unknown", "x"));
    }

    #[test]
    fn bounds_that_others_cut_off_are_read_wider() {
        let json = r#"{"numRecords": 2, "minValues": {"at": "1970-01-01T00:00:00.001999Z", "coin": "b"},
            "maxValues": {"at": "1970-01-01T00:00:00.002500Z", "coin": "bit"}}"#;
        let stats = FileStats::parse(json).unwrap();
        assert_eq!(stats.bounds("at"), Some((1, 3)));
        assert!(stats.may_hold("coin", "bitcoin") && !stats.may_hold("coin", "a"));
    }
}
