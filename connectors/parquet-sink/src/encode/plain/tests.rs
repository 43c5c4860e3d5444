use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use proptest::prelude::*;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value as Json, json};

use super::super::fields::Fields;
use super::super::json::{read_any, read_object};
use super::*;
use crate::config::Column;

const NAMES: [&str; 6] = ["coin", "at", "price", "count", "good", "kinds"];

fn configured() -> Vec<Column> {
    let columns = json!([
        { "name": "coin", "type": "string" },
        { "name": "at", "type": "timestamp" },
        { "name": "price", "type": "float64" },
        { "name": "count", "type": "int64", "nullable": false },
        { "name": "good", "type": "bool" },
        { "name": "kinds", "type": "strings" },
    ]);
    serde_json::from_value(columns).unwrap()
}

type Reader = fn(&[u8], &mut FieldsOfRow<'_>) -> Result<(), String>;

/// What `read` returns for one object, and each column after it with the last row that filled it.
fn read_into<T>(
    read: impl FnOnce(&[u8], &mut FieldsOfRow<'_>) -> T,
    json: &[u8],
) -> (T, Vec<(ArrayRef, usize)>) {
    let configured = configured();
    let columns = configured
        .iter()
        .map(|column| ColumnBuilder::new(column.kind));
    let mut columns: Vec<_> = columns.collect();
    let mut filled = vec![0; columns.len()];
    let mut row = FieldsOfRow {
        fields: &Fields::of(&configured),
        configured: &configured,
        columns: &mut columns,
        filled: &mut filled,
        row: 1,
    };
    let result = read(json, &mut row);
    let columns = columns.iter_mut().map(ColumnBuilder::finish).zip(filled);
    (result, columns.collect())
}

/// The columns after one object, nulls for absent fields; `None` for a column that has none.
fn read(reader: Reader, json: &[u8]) -> Result<Vec<Option<ArrayRef>>, String> {
    let (result, columns) = read_into(reader, json);
    result?;
    let columns = columns.into_iter().map(|(array, filled)| {
        assert_eq!(array.len(), filled, "one value for each field");
        (filled == 1).then_some(array)
    });
    Ok(columns.collect())
}

fn is_plain(json: &[u8]) -> bool {
    read_into(read_plain, json).0.is_some()
}

#[test]
fn what_modules_write_is_plain_and_anything_else_is_not() {
    assert!(is_plain(
        br#"{"source_offset":7,"status":"x","coin":"bitcoin","at":5,"price":-2.5e-7,"count":-3,"good":true}"#
    ));
    assert!(is_plain(br#"{"price":null,"other":false,"count":1}"#));
    for other in [
        r#"{}"#,
        r#"{"count": 1}"#,
        r#"{"count":1} "#,
        r#"{"count":1,}"#,
        r#"{"count":1"#,
        r#"{"count":01}"#,
        r#"{"count":1.5}"#,
        r#"{"count":null}"#,
        r#"{"coin":"b\u0069t"}"#,
        r#"{"co\u0069n":"a"}"#,
        r#"{"at":"2025-06-01T00:00:00Z"}"#,
        r#"{"kinds":["a"]}"#,
        "{\"coin\":\"a\tb\"}",
    ] {
        assert!(!is_plain(other.as_bytes()), "{other}");
    }
}

/// An object's fields in their order, as serde_json reads them.
struct Pairs(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// What the columns must hold: the value of the first field of each name; `None` if one does not fit.
fn expected(Pairs(pairs): Pairs) -> Option<Vec<Option<Json>>> {
    let values = NAMES.iter().map(|name| {
        let mut pairs = pairs.iter();
        Some(pairs.find(|(found, _)| found == name)?.1.clone())
    });
    let mut values: Vec<_> = values.collect();
    for (i, value) in values.iter_mut().enumerate() {
        let Some(value) = value else { continue };
        let fits = match (i, &*value) {
            (3, Json::Null) => false,
            (_, Json::Null) => true,
            (0, value) => value.is_string(),
            (1, Json::String(text)) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => {
                    *value = time.as_microsecond().into();
                    true
                }
                Err(_) => false,
            },
            (1, number) => match number.as_i64() {
                Some(ms) if (MS_MIN..=MS_MAX).contains(&ms) => {
                    *value = (ms * 1_000).into();
                    true
                }
                _ => false,
            },
            (2, value) => value.is_number(),
            (3, value) => value.is_i64(),
            (4, value) => value.is_boolean(),
            (_, Json::Array(items)) => items.iter().all(Json::is_string),
            _ => false,
        };
        if !fits {
            return None;
        }
    }
    Some(values)
}

/// Whether a column of one row holds a value, to the bit.
fn holds(column: &ArrayRef, i: usize, value: &Json) -> bool {
    if value.is_null() || column.is_null(0) {
        return value.is_null() && column.is_null(0);
    }
    match i {
        0 => column.as_string::<i32>().value(0) == value,
        1 => column.as_primitive::<TimestampMicrosecondType>().value(0) == *value,
        2 => {
            let (found, value) = (
                column.as_primitive::<Float64Type>().value(0),
                value.as_f64().unwrap(),
            );
            // The sign of zero may change.
            found.to_bits() == value.to_bits() || found == 0.0 && value == 0.0
        }
        3 => column.as_primitive::<Int64Type>().value(0) == *value,
        4 => column.as_boolean().value(0) == *value,
        _ => {
            let items = column.as_list::<i32>().value(0);
            let items = items.as_string::<i32>().iter();
            items.eq(value.as_array().unwrap().iter().map(|item| item.as_str()))
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9-]{0,12}".prop_map(|text| format!("\"{text}\"")),
        2 => any::<String>().prop_map(|text| Json::from(text).to_string()),
        1 => prop::sample::select(vec![
            r#""\u00e9\/\b""#, r#""\ud83d\ude00""#, r#""\ud800""#, r#""\x""#, "\"\u{1}\"", r#""2025-06-01T00:00:00.5Z""#,
        ]).prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<f64>().prop_map(|number| Json::from(number).to_string()),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        2 => (-2_000_000_000_000_i64..2_000_000_000_000).prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        3 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
        1 => "-?[0-9]{0,3}\\.?[0-9]{0,3}[eE+-]?[0-9]{0,2}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let flat = prop_oneof![
        4 => number(),
        3 => text(),
        2 => prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
    ];
    flat.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(text(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec((text(), inner), 0..4).prop_map(|fields| {
                let fields = fields.iter().map(|(name, value)| format!("{name}:{value}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn fitting(i: usize) -> BoxedStrategy<String> {
    let ms = (MS_MIN..=MS_MAX).prop_map(|ms| ms.to_string());
    match i {
        0 => text().boxed(),
        1 => ms.boxed(),
        2 => number().boxed(),
        3 => any::<i64>().prop_map(|number| number.to_string()).boxed(),
        4 => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        _ => prop::collection::vec(text(), 0..3)
            .prop_map(|items| format!("[{}]", items.join(",")))
            .boxed(),
    }
}

/// An object's text: fields in any order, some twice, mostly plain and of the right type.
fn object() -> impl Strategy<Value = String> {
    let known = (0..NAMES.len()).prop_flat_map(|i| {
        let value = prop_oneof![12 => fitting(i), 1 => value()];
        (Just(format!("\"{}\"", NAMES[i])), value)
    });
    let other = (
        prop_oneof![3 => text(), 1 => Just(r#""c\u006fin""#.to_owned())],
        value(),
    );
    let field = prop_oneof![6 => known, 1 => other];
    let gap = prop_oneof![30 => Just(""), 1 => Just(" "), 1 => Just("\n\t")];
    prop::collection::vec((field, gap), 0..9).prop_map(|fields| {
        let fields = fields
            .iter()
            .map(|((name, value), gap)| format!("{gap}{name}:{gap}{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    })
}

fn check(json: &[u8]) -> Result<(), TestCaseError> {
    let found = read(read_object, json);
    let shown = String::from_utf8_lossy(json);
    prop_assert_eq!(&found, &read(read_any, json), "{}", shown);
    let Ok(pairs) = serde_json::from_slice(json) else {
        // The general reader allows half a surrogate pair and bytes that are no text where it skips a value.
        prop_assert!(!is_plain(json), "{}", shown);
        return Ok(());
    };
    let Some(expected) = expected(pairs) else {
        prop_assert!(found.is_err(), "{}", shown);
        return Ok(());
    };
    prop_assert!(found.is_ok(), "{:?}: {}", found, shown);
    for (i, (found, expected)) in found.iter().flatten().zip(&expected).enumerate() {
        let same = match (found, expected) {
            (Some(found), Some(expected)) => holds(found, i, expected),
            (found, expected) => found.is_none() && expected.is_none(),
        };
        prop_assert!(same, "{}: {:?} in {}", NAMES[i], found, shown);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_object_is_read_as_serde_json_does(json in object()) {
        check(json.as_bytes())?;
    }

    #[test]
    fn a_torn_object_is_refused_or_read_as_serde_json_does(
        json in object(), at in any::<prop::sample::Index>(), byte in prop::option::of(any::<u8>()),
    ) {
        let mut json = json.into_bytes();
        let at = at.index(json.len());
        match byte {
            Some(byte) => json[at] = byte,
            None => json.truncate(at),
        }
        check(&json)?;
    }
}
