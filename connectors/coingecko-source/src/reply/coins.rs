//! The coins of a page, taken apart without touching their bytes.

use std::borrow::Cow;

use bytes::Bytes;
use connector_runtime::record::Outgoing;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::{message, quote};
use super::trouble::{Next, Trouble};
use crate::status::ErrorKind;

/// What a record's key and value may measure: a batch holds 1 MiB, its frame included.
const RECORD_BYTES_MAX: usize = 900 << 10;

/// One element of a page.
#[derive(Debug)]
pub(crate) struct Coin {
    /// Its bytes exactly as they came, under the coin's id.
    pub record: Outgoing,
    /// `last_updated` in milliseconds since the epoch, where that can be read.
    pub updated_ms: Option<i64>,
}

/// The coins of a page.
#[derive(Debug, Default)]
pub(crate) struct Coins {
    /// The elements, in order.
    pub list: Vec<Coin>,
    /// How many elements the page had.
    pub elements: usize,
    /// One sentence for each element that is odd.
    pub odd: Vec<(ErrorKind, String)>,
}

/// Takes the elements of a body apart without touching their bytes.
///
/// # Errors
/// When the body isn't one whole JSON list.
pub(crate) fn coins(body: &Bytes) -> Result<Coins, Trouble> {
    let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| {
        let what = match (
            error.classify(),
            body.iter().find(|b| !b.is_ascii_whitespace()),
        ) {
            (serde_json::error::Category::Eof, _) => {
                format!("the reply ends too early, after {} bytes", body.len())
            }
            (_, Some(b'<')) => {
                format!("the reply calls itself JSON but is {}", message(body).text)
            }
            (serde_json::error::Category::Data, _) => format!(
                "the reply is JSON, but no list of coins: {}",
                message(body).text
            ),
            _ => format!("the reply is broken JSON: {}", quote(&error.to_string())),
        };
        Trouble {
            kind: ErrorKind::Malformed,
            what,
            next: Next::Skip,
        }
    })?;
    let mut coins = Coins {
        list: Vec::with_capacity(elements.len()),
        elements: elements.len(),
        odd: Vec::new(),
    };
    for (position, element) in elements.into_iter().enumerate() {
        let json = element.get();
        let (id, updated_ms) = facts(json);
        let bytes = json.len() + id.as_ref().map_or(0, String::len);
        if bytes > RECORD_BYTES_MAX {
            let what =
                format!("element {position} makes {bytes} bytes and fits no record: left out");
            coins.odd.push((ErrorKind::TooLarge, what));
            continue;
        }
        if !json.starts_with('{') {
            let what = format!("element {position} is no object but {}", quote(json));
            coins.odd.push((ErrorKind::NotAnObject, what));
        }
        coins.list.push(Coin {
            record: Outgoing {
                key: id.map(Bytes::from),
                value: body.slice_ref(json.as_bytes()),
            },
            updated_ms,
        });
    }
    Ok(coins)
}

/// The `last_updated` of an object, if that is a time.
pub(crate) fn updated_ms(json: &[u8]) -> Option<i64> {
    facts(std::str::from_utf8(json).ok()?).1
}

/// A coin's id, if it has one that is a text, and its `last_updated`, if that is a time.
fn facts(json: &str) -> (Option<String>, Option<i64>) {
    #[derive(Deserialize)]
    struct Facts<'a> {
        id: String,
        #[serde(default, borrow)]
        last_updated: Option<&'a RawValue>,
    }
    // A list would be taken for the fields in their order.
    let facts = json.starts_with('{').then(|| serde_json::from_str(json));
    let Some(Ok(Facts { id, last_updated })) = facts else {
        return (None, None);
    };
    let updated_ms = last_updated.and_then(|raw| {
        let text: Cow<'_, str> = serde_json::from_str(raw.get()).ok()?;
        market::parse_rfc3339_ms(&text)
    });
    (Some(id).filter(|id| !id.is_empty()), updated_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_bytes() {
        let body = Bytes::from_static(
            br#" [ {"id":"a", "x" : 1e-7 },{"id":"\u0062"}, {"id":7},{}, 5 , null,{"id":""}]"#,
        );
        let coins = coins(&body).unwrap();
        let seen: Vec<(Option<&str>, &str)> = coins
            .list
            .iter()
            .map(|Coin { record, .. }| {
                let text = |bytes| std::str::from_utf8(bytes).unwrap();
                (record.key.as_deref().map(text), text(&record.value))
            })
            .collect();
        let expected = [
            (Some("a"), r#"{"id":"a", "x" : 1e-7 }"#),
            (Some("b"), r#"{"id":"\u0062"}"#),
            (None, r#"{"id":7}"#),
            (None, "{}"),
            (None, "5"),
            (None, "null"),
            (None, r#"{"id":""}"#),
        ];
        assert_eq!(seen, expected);
        assert_eq!(coins.elements, 7);
        let kinds: Vec<ErrorKind> = coins.odd.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [ErrorKind::NotAnObject, ErrorKind::NotAnObject]);
    }

    #[test]
    fn a_body_that_is_no_list_gets_one_sentence() {
        for (body, part) in [
            (r#"[{"id":"a"},{"id""#, "ends too early"),
            ("", "ends too early"),
            ("<html><body>Just a moment...</body></html>", "HTML"),
            (
                r#"{"status":{"error_message":"down for today"}}"#,
                "down for today",
            ),
            (r#"{"a":1}"#, "no list"),
            ("[{]}", "broken JSON"),
            ("[1] [2]", "broken JSON"),
        ] {
            let trouble = coins(&Bytes::from(body)).unwrap_err();
            assert_eq!(trouble.kind, ErrorKind::Malformed);
            assert!(trouble.what.contains(part), "{body}: {}", trouble.what);
            assert!(!trouble.what.contains('\n'));
        }
        assert!(coins(&Bytes::from_static(&[b'[', b'"', 0xff, b'"', b']'])).is_err());
        let large = format!(
            r#"[{{"id":"a","x":"{}"}},{{"id":"b"}}]"#,
            "y".repeat(RECORD_BYTES_MAX)
        );
        let coins = coins(&Bytes::from(large)).unwrap();
        assert_eq!(
            (coins.list.len(), coins.elements, coins.odd.len()),
            (1, 2, 1)
        );
    }

    #[test]
    fn an_id_counts_twice_as_it_is_the_key_too() {
        let long = "x".repeat(RECORD_BYTES_MAX / 2);
        let body = format!(r#"[{{"id":"{long}"}},{{"id":"b"}}]"#);
        let coins = coins(&Bytes::from(body)).unwrap();
        assert_eq!((coins.list.len(), coins.odd.len()), (1, 1));
        assert_eq!(coins.odd[0].0, ErrorKind::TooLarge);
    }

    #[test]
    fn times_are_read_where_there_are_some() {
        for (json, expected) in [
            (
                r#"{"id":"a","last_updated":"1970-01-01T00:00:01.500Z"}"#,
                Some(1_500),
            ),
            (r#"{"id":"a","last_updated":null}"#, None),
            (r#"{"id":"a","last_updated":5}"#, None),
            (r#"{"id":"a","last_updated":"minute 7"}"#, None),
            (r#"{"id":"a"}"#, None),
        ] {
            assert_eq!(facts(json), (Some("a".to_owned()), expected), "{json}");
        }
        for list in [
            r#"["a"]"#,
            r#"["a",14.95]"#,
            r#"["a","1970-01-01T00:00:01Z"]"#,
        ] {
            assert_eq!(facts(list), (None, None), "{list}");
        }
    }
}
