//! Rows on their way from JSON into Arrow batches.
//!
//! Always true: every column holds one value for each row. After a refused row, some hold one more, which [`Rows::finish`]
//! cuts off.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray};

pub use super::columns::BATCH_ROWS;
use super::columns::ColumnBuilder;
use super::date::day_of_ms;
use super::fields::{Fields, FieldsOfRow};
use super::json::read_object;
use super::schema::LayerSchema;
use crate::config::RecordPart;

/// A record as a row sees it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The input offset.
    pub offset: i64,
    /// The producer's timestamp; -1 when it is unknown.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub value: &'a [u8],
}

/// A batch of rows being built.
#[derive(Debug)]
pub struct Rows {
    schema: Arc<LayerSchema>,
    columns: Vec<ColumnBuilder>,
    /// The columns that are taken from the JSON.
    fields: Fields,
    /// The columns that are taken from the record itself, with their position.
    parts: Vec<(RecordPart, usize)>,
    /// By column: the number of the row that last set its value, counted from 1.
    filled: Vec<usize>,
    offsets: Vec<i64>,
    /// By row: its day, counted from 1970-01-01; `None` when its date is null.
    days: Vec<Option<i32>>,
    /// Some columns hold one value too many. No row may be added then.
    surplus: bool,
    input_bytes: usize,
    topic: String,
    partition: i32,
}

impl Rows {
    /// A batch without rows.
    pub fn new(schema: Arc<LayerSchema>, topic: &str, partition: u32) -> Self {
        let columns = &schema.layer.columns;
        let parts = columns.iter().enumerate();
        let parts = parts.filter_map(|(i, column)| Some((column.from?, i)));
        Self {
            columns: columns
                .iter()
                .map(|column| ColumnBuilder::new(column.kind))
                .collect(),
            filled: vec![0; columns.len()],
            fields: Fields::of(columns),
            parts: parts.collect(),
            offsets: Vec::with_capacity(BATCH_ROWS),
            days: Vec::with_capacity(BATCH_ROWS),
            surplus: false,
            input_bytes: 0,
            topic: topic.to_owned(),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            schema,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// About the memory of the rows.
    pub fn memory_bytes(&self) -> usize {
        self.input_bytes
    }

    /// Adds a row.
    ///
    /// # Errors
    /// A phrase that names the column. No row can be added then until [`Rows::finish`].
    pub fn push(&mut self, source: Source<'_>) -> Result<(), String> {
        assert!(!self.surplus, "finish the batch after a refused row");
        self.surplus = true;
        let row = self.offsets.len() + 1;
        let configured = &self.schema.layer.columns;
        if !self.fields.is_empty() {
            let mut of_row = FieldsOfRow {
                fields: &self.fields,
                configured,
                columns: &mut self.columns,
                filled: &mut self.filled,
                row,
            };
            read_object(source.value, &mut of_row)?;
        }
        for (part, i) in &self.parts {
            let column = &configured[*i];
            let filled = match part {
                RecordPart::Key => self.columns[*i].push_bytes(source.key),
                RecordPart::Value => self.columns[*i].push_bytes(Some(source.value)),
                RecordPart::Timestamp => self.columns[*i].push_time(source.timestamp_ms),
            };
            if !filled && !column.nullable {
                return Err(format!("column `{}`: the record has no key", column.name));
            }
            self.filled[*i] = row;
        }
        for (i, filled) in self.filled.iter_mut().enumerate() {
            if *filled != row {
                let column = &configured[i];
                if !column.nullable {
                    return Err(format!(
                        "column `{}`: the field is absent, and the column is not nullable",
                        column.name
                    ));
                }
                self.columns[i].push_null();
                *filled = row;
            }
        }
        self.offsets.push(source.offset);
        self.surplus = false;
        self.input_bytes += source.value.len() + 16;
        let day = self.last_time_ms(self.schema.date_column).map(day_of_ms);
        self.days.push(day);
        Ok(())
    }

    /// The day of each row so far, counted from 1970-01-01; `None` where the date is null.
    pub(super) fn days(&self) -> &[Option<i32>] {
        &self.days
    }

    /// The rows so far as a batch; the next one starts empty.
    pub fn finish(&mut self) -> RecordBatch {
        let rows = self.offsets.len();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 3);
        for column in &mut self.columns {
            let array = column.finish();
            arrays.push(match array.len() > rows {
                true => array.slice(0, rows),
                false => array,
            });
        }
        let topic = StringArray::from_iter_values(std::iter::repeat_n(&self.topic, rows));
        arrays.push(Arc::new(topic));
        arrays.push(Arc::new(Int32Array::from_value(self.partition, rows)));
        let offsets = std::mem::replace(&mut self.offsets, Vec::with_capacity(BATCH_ROWS));
        arrays.push(Arc::new(Int64Array::from(offsets)));
        self.days.clear();
        self.filled.fill(0);
        self.surplus = false;
        self.input_bytes = 0;
        RecordBatch::try_new(self.schema.arrow.clone(), arrays)
            .expect("the columns have the schema's types, one value a row")
    }

    /// The last row's time in a timestamp column.
    pub fn last_time_ms(&self, column: usize) -> Option<i64> {
        self.columns[column].last_time_ms()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::date::{MS_MAX, MS_MIN};
    use super::*;

    fn rows(columns: serde_json::Value) -> Rows {
        let layer = json!({ "name": "ticks", "date": "at", "columns": columns });
        let layer = serde_json::from_value(layer).unwrap();
        Rows::new(Arc::new(LayerSchema::new(&layer)), "in", 3)
    }

    fn ticks() -> Rows {
        rows(json!([
            { "name": "coin", "type": "string", "nullable": false },
            { "name": "at", "type": "timestamp", "nullable": false },
            { "name": "price", "type": "float64" },
            { "name": "count", "type": "int64" },
            { "name": "good", "type": "bool" },
            { "name": "kinds", "type": "strings" },
        ]))
    }

    fn record(offset: i64, value: &str) -> Source<'_> {
        Source {
            offset,
            timestamp_ms: 86_400_000,
            key: Some(b"key"),
            value: value.as_bytes(),
        }
    }

    #[test]
    fn fields_become_typed_columns() {
        let mut rows = ticks();
        rows.push(record(
            7,
            r#"{"source_offset": 7, "coin": "b\u0069tcoin", "at": 86400001, "price": 2.2e-7, "count": 3,
                "good": true, "kinds": ["price_spike", "volume_spike"], "more": {"deep": [1]}}"#,
        ))
        .unwrap();
        let other_order =
            r#"{"at": "1970-01-03T00:00:00.5Z", "price": 5, "coin": "solana", "count": null}"#;
        rows.push(record(8, other_order)).unwrap();
        assert_eq!(rows.days(), [Some(1), Some(2)]);
        let batch = rows.finish();
        assert_eq!(batch.num_rows(), 2);
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(column("coin").as_string::<i32>().value(0), "bitcoin");
        let at = column("at").as_primitive::<TimestampMicrosecondType>();
        assert_eq!(at.values(), &[86_400_001_000, 172_800_500_000]);
        let price = column("price").as_primitive::<Float64Type>();
        assert_eq!(price.values(), &[2.2e-7, 5.0]);
        assert!(column("count").is_null(1) && column("good").is_null(1));
        let kinds = column("kinds").as_list::<i32>();
        assert_eq!(kinds.value(0).as_string::<i32>().value(1), "volume_spike");
        assert!(kinds.is_null(1));
        assert_eq!(column("source_topic").as_string::<i32>().value(1), "in");
        let offsets = column("source_offset").as_primitive::<Int64Type>();
        assert_eq!(offsets.values(), &[7, 8]);
    }

    #[test]
    fn a_record_that_is_not_json_can_be_a_row() {
        let mut rows = rows(json!([
            { "name": "coin", "type": "string", "from": "key" },
            { "name": "at", "type": "timestamp", "from": "timestamp" },
            { "name": "payload", "type": "string", "from": "value" },
        ]));
        let mut torn = record(0, "");
        torn.value = b"not \xff JSON";
        torn.key = None;
        rows.push(torn).unwrap();
        assert_eq!(rows.days(), [Some(1)]);
        let batch = rows.finish();
        assert!(batch.column(0).is_null(0));
        assert_eq!(
            batch.column(2).as_string::<i32>().value(0),
            "not \u{fffd} JSON"
        );
    }

    #[track_caller]
    fn check_refused(value: &str, reason: &str) {
        let mut rows = ticks();
        rows.push(record(0, r#"{"coin": "a", "at": 1}"#)).unwrap();
        let found = rows.push(record(1, value)).unwrap_err();
        assert!(found.contains(reason), "{found}");
        assert_eq!(rows.finish().num_rows(), 1, "the row before must stay");
        rows.push(record(2, r#"{"coin": "b", "at": 2}"#)).unwrap();
        assert_eq!(
            rows.finish().num_rows(),
            1,
            "another batch must be possible"
        );
    }

    #[test]
    fn an_output_that_does_not_fit_is_refused_with_the_column() {
        check_refused(r#"{"at": 1}"#, "column `coin`: the field is absent");
        check_refused(
            r#"{"coin": null, "at": 1}"#,
            "column `coin`: the field is null",
        );
        check_refused(
            r#"{"coin": 5, "at": 1}"#,
            "column `coin`: expected a string, found a number",
        );
        check_refused(
            r#"{"coin": "a", "at": "noon"}"#,
            "column `at`: expected milliseconds",
        );
        check_refused(
            r#"{"coin": "a", "at": 1, "price": "5"}"#,
            "column `price`: expected a number",
        );
        // Microseconds where milliseconds belong.
        check_refused(
            r#"{"coin": "a", "at": 1748815200000000}"#,
            "column `at`: expected milliseconds",
        );
        check_refused(r#"{"coin": "a", "at": 1, "price": {}}"#, "column `price`");
        check_refused(
            r#"{"coin": "a", "at": 1, "count": 1.5}"#,
            "column `count`: expected a 64-bit",
        );
        check_refused(r#"{"coin": "a", "at": 1, "kinds": [1]}"#, "kinds");
        check_refused(r#"{"coin": "a", "at": 1"#, "");
        check_refused(r#"[1]"#, "object");
    }

    #[test]
    fn the_first_of_two_equal_fields_counts() {
        let mut rows = ticks();
        let value = r#"{"coin": "a", "at": 1, "price": 1.0, "price": 2.0, "coin": "b"}"#;
        rows.push(record(0, value)).unwrap();
        let batch = rows.finish();
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "a");
        assert_eq!(batch.column(2).as_primitive::<Float64Type>().value(0), 1.0);
    }

    #[test]
    fn a_row_without_a_date_has_no_day() {
        let mut rows = rows(json!([{ "name": "at", "type": "timestamp" }]));
        for (offset, value) in [r#"{"at": null}"#, r#"{"at": -1}"#, "{}"]
            .iter()
            .enumerate()
        {
            rows.push(record(offset as i64, value)).unwrap();
        }
        assert_eq!(rows.days(), [None, Some(-1), None]);
    }

    #[test]
    fn a_producer_s_timestamp_outside_of_the_calendar_becomes_its_end() {
        let mut rows = rows(json!([{ "name": "at", "type": "timestamp", "from": "timestamp" }]));
        for timestamp_ms in [i64::MIN, -1, i64::MAX] {
            let mut source = record(0, "");
            source.timestamp_ms = timestamp_ms;
            rows.push(source).unwrap();
        }
        let batch = rows.finish();
        let at = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let expected = [MS_MIN * 1_000, -1_000, MS_MAX * 1_000];
        assert_eq!(at.values(), &expected);
    }

    proptest! {
        /// Values that a standard JSON writer wrote are read back exactly.
        #[test]
        fn numbers_and_strings_survive(
            rows_in in prop::collection::vec((any::<String>(), any::<f64>(), any::<i64>()), 1..40),
        ) {
            let mut rows = ticks();
            for (i, (coin, price, count)) in rows_in.iter().enumerate() {
                let value = json!({ "coin": coin, "at": 0, "price": price, "count": count }).to_string();
                rows.push(record(i as i64, &value)).unwrap();
            }
            let batch = rows.finish();
            for (i, (coin, price, count)) in rows_in.iter().enumerate() {
                prop_assert_eq!(batch.column(0).as_string::<i32>().value(i), coin);
                prop_assert_eq!(batch.column(3).as_primitive::<Int64Type>().value(i), *count);
                let found = batch.column(2).as_primitive::<Float64Type>();
                if price.is_finite() {
                    // The sign of zero may change.
                    prop_assert_eq!(found.value(i), *price);
                } else {
                    prop_assert!(found.is_null(i));
                }
            }
        }

        #[test]
        fn a_batch_survives_any_bytes(values in prop::collection::vec(any::<Vec<u8>>(), 1..20)) {
            let mut rows = ticks();
            for value in &values {
                let mut source = record(0, "");
                source.value = value;
                if rows.push(source).is_err() {
                    rows.finish();
                }
            }
        }
    }
}
