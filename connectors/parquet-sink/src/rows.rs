//! Rows on their way from JSON into Arrow columns.
//!
//! Always true: every column holds as many values as there are rows, save for one row more at the end after a failed or
//! undone row, which [`Rows::finish`] cuts off.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::columns::{ColumnBuilder, ValueSeed};
use crate::config::RecordPart;
use crate::schema::LayerSchema;

/// Rows per batch: small enough to stay in the processor's cache, large enough to make the rest of the cost disappear.
pub const BATCH_ROWS: usize = 8192;
const DAY_MS: i64 = 86_400_000;

/// A record as a row sees it.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The input offset.
    pub offset: i64,
    /// The producer's timestamp, where it is known.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub value: &'a [u8],
}

/// The rows of a batch, being built.
#[derive(Debug)]
pub struct Rows {
    schema: Arc<LayerSchema>,
    columns: Vec<ColumnBuilder>,
    /// Columns taken from the JSON: name and position.
    fields: Vec<(String, usize)>,
    /// Columns taken from the record itself.
    parts: Vec<(RecordPart, usize)>,
    /// The row in which a column last got its value, plus one.
    filled: Vec<usize>,
    offsets: Vec<i64>,
    /// Set when the columns hold a row too many; nothing may be added then.
    surplus: bool,
    input_bytes: usize,
    topic: String,
    partition: i32,
}

impl Rows {
    /// No rows yet.
    pub fn new(schema: Arc<LayerSchema>, topic: &str, partition: u32) -> Self {
        let columns = &schema.layer.columns;
        let mut fields = Vec::new();
        let mut parts = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            match column.from {
                None => fields.push((column.name.clone(), i)),
                Some(part) => parts.push((part, i)),
            }
        }
        Self {
            columns: columns.iter().map(|c| ColumnBuilder::new(c.kind)).collect(),
            filled: vec![0; columns.len()],
            fields,
            parts,
            offsets: Vec::with_capacity(BATCH_ROWS),
            surplus: false,
            input_bytes: 0,
            topic: topic.to_owned(),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            schema,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// About what they take in memory.
    pub fn memory_bytes(&self) -> usize {
        self.input_bytes
    }

    /// Adds a row; returns its day, counted from 1970-01-01, unless its date is null.
    ///
    /// # Errors
    /// A phrase that names the column. Nothing can be added afterwards, until [`Rows::finish`].
    pub fn push(&mut self, source: Source<'_>) -> Result<Option<i32>, String> {
        assert!(!self.surplus, "finish the batch after a failed row");
        self.surplus = true;
        let row = self.offsets.len() + 1;
        if !self.fields.is_empty() {
            let mut json = sonic_rs::Deserializer::from_slice(source.value);
            let visitor = RowVisitor { rows: self, row };
            json.deserialize_map(visitor)
                .and_then(|()| json.end())
                .map_err(|e| phrase(&e))?;
        }
        for (part, i) in &self.parts {
            let column = &self.schema.layer.columns[*i];
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
                let column = &self.schema.layer.columns[i];
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
        Ok(self.last_day())
    }

    /// Takes the last row back: it belongs to another file. [`Rows::finish`] must come next.
    pub fn undo_last(&mut self) {
        self.offsets.pop();
        self.surplus = true;
    }

    /// The rows so far as a batch; starts over.
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
        self.filled.fill(0);
        self.surplus = false;
        self.input_bytes = 0;
        RecordBatch::try_new(self.schema.arrow.clone(), arrays)
            .expect("the columns have the schema's types, one value a row")
    }

    fn last_day(&self) -> Option<i32> {
        let ms = self.last_time(self.schema.date_column)?;
        Some(i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
    }

    /// What the last row holds in a timestamp column.
    pub fn last_time(&self, column: usize) -> Option<i64> {
        self.columns[column].last_time()
    }
}

/// Without the excerpt that some parsers add below their message.
fn phrase(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

struct RowVisitor<'r> {
    rows: &'r mut Rows,
    row: usize,
}

impl<'de> Visitor<'de> for RowVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { rows, row } = self;
        // Fields mostly come in the order of the columns.
        let mut expected = 0;
        while let Some(found) = map.next_key_seed(FieldSeed {
            fields: &rows.fields,
            expected,
        })? {
            let Some(at) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            expected = at + 1;
            let (_, i) = rows.fields[at];
            if rows.filled[i] == row {
                // Twice in one object: the first counts.
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let column = &rows.schema.layer.columns[i];
            let filled = map.next_value_seed(ValueSeed {
                column: &mut rows.columns[i],
                name: &column.name,
            })?;
            if !filled && !column.nullable {
                return Err(A::Error::custom(format_args!(
                    "column `{}`: the field is null, and the column is not nullable",
                    column.name
                )));
            }
            rows.filled[i] = row;
        }
        Ok(())
    }
}

struct FieldSeed<'f> {
    fields: &'f [(String, usize)],
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
        if self
            .fields
            .get(self.expected)
            .is_some_and(|(n, _)| n == name)
        {
            return Ok(Some(self.expected));
        }
        Ok(self.fields.iter().position(|(n, _)| n == name))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type, TimestampMillisecondType};
    use proptest::prelude::*;
    use serde_json::json;

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
        let day = rows.push(record(
            7,
            r#"{"source_offset": 7, "coin": "b\u0069tcoin", "at": 86400001, "price": 2.2e-7, "count": 3,
                "good": true, "kinds": ["price_spike", "volume_spike"], "more": {"deep": [1]}}"#,
        ));
        assert_eq!(day, Ok(Some(1)));
        let other_order =
            r#"{"at": "1970-01-03T00:00:00.5Z", "price": 5, "coin": "solana", "count": null}"#;
        assert_eq!(rows.push(record(8, other_order)), Ok(Some(2)));
        let batch = rows.finish();
        assert_eq!(batch.num_rows(), 2);
        let column = |name: &str| batch.column_by_name(name).unwrap();
        assert_eq!(column("coin").as_string::<i32>().value(0), "bitcoin");
        let at = column("at").as_primitive::<TimestampMillisecondType>();
        assert_eq!(at.values(), &[86_400_001, 172_800_500]);
        let price = column("price").as_primitive::<Float64Type>();
        assert_eq!(price.values(), &[2.2e-7, 5.0]);
        assert!(column("count").is_null(1) && column("good").is_null(1));
        let kinds = column("kinds").as_list::<i32>();
        assert_eq!(kinds.value(0).as_string::<i32>().value(1), "volume_spike");
        assert!(kinds.is_null(1));
        assert_eq!(column("_topic").as_string::<i32>().value(1), "in");
        let offsets = column("_offset").as_primitive::<Int64Type>();
        assert_eq!(offsets.values(), &[7, 8]);
    }

    #[test]
    fn a_record_can_be_a_row_without_being_read() {
        let mut rows = rows(json!([
            { "name": "coin", "type": "string", "from": "key" },
            { "name": "at", "type": "timestamp", "from": "timestamp" },
            { "name": "payload", "type": "string", "from": "value" },
        ]));
        let mut torn = record(0, "");
        torn.value = b"not \xff JSON";
        torn.key = None;
        assert_eq!(rows.push(torn), Ok(Some(1)));
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
        assert_eq!(rows.finish().num_rows(), 1, "the row before is still there");
        rows.push(record(2, r#"{"coin": "b", "at": 2}"#)).unwrap();
        assert_eq!(
            rows.finish().num_rows(),
            1,
            "and another batch can be built"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_by_column() {
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
    fn of_a_field_given_twice_the_first_counts() {
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
        assert_eq!(rows.push(record(0, r#"{"at": null}"#)), Ok(None));
        assert_eq!(rows.push(record(1, r#"{"at": -1}"#)), Ok(Some(-1)));
        assert_eq!(rows.push(record(2, r#"{}"#)), Ok(None));
    }

    #[test]
    fn the_last_row_can_be_taken_back() {
        let mut rows = ticks();
        rows.push(record(0, r#"{"coin": "a", "at": 1}"#)).unwrap();
        rows.push(record(1, r#"{"coin": "b", "at": 2}"#)).unwrap();
        rows.undo_last();
        let batch = rows.finish();
        assert_eq!(batch.num_rows(), 1);
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "a");
    }

    proptest! {
        /// What a standard JSON writer wrote comes back exactly.
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
                    // The sign of zero is not kept.
                    prop_assert_eq!(found.value(i), *price);
                } else {
                    prop_assert!(found.is_null(i));
                }
            }
        }

        #[test]
        fn garbage_never_breaks_the_batch(values in prop::collection::vec(any::<Vec<u8>>(), 1..20)) {
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
