//! Reads one object: calls a closure for each field; nested values are checked and skipped.

use super::scan::plain_len;
use super::value::{Text, Value};

/// Why a text is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object: {expected} expected at byte {at}")]
pub struct Malformed {
    /// What JSON allows at this place.
    pub expected: &'static str,
    /// Offset in bytes from the start.
    pub at: usize,
}

/// Calls `field` for every field of the object, in order, and checks that the whole text is one JSON object.
///
/// A repeated name is reported each time; a caller that keeps the last value does what most readers do.
///
/// # Errors
///
/// [`Malformed`] when the text is not one JSON object. `field` may have been called before that is known.
///
/// ```
/// use market::json::read_object;
///
/// let mut price = None;
/// read_object(br#"{"coin":"bitcoin","price":16730.75}"#, |name, value| {
///     if name == "price" {
///         price = value.number();
///     }
/// })?;
/// assert_eq!(price, Some(16730.75));
/// # Ok::<_, market::json::Malformed>(())
/// ```
pub fn read_object<'a>(
    text: &'a [u8],
    mut field: impl FnMut(&str, Value<'a>),
) -> Result<(), Malformed> {
    let text = std::str::from_utf8(text).map_err(|error| Malformed {
        expected: "UTF-8",
        at: error.valid_up_to(),
    })?;
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    reader.expect(b'{', "an object")?;
    reader.skip_space();
    if reader.peek() == Some(b'}') {
        reader.at += 1;
    } else {
        loop {
            let name = reader.name()?;
            let value = reader.value()?;
            match name {
                Text {
                    raw,
                    escaped: false,
                } => field(raw, value),
                // A name that cannot be decoded matches no field.
                escaped => field(&escaped.decode().unwrap_or_default(), value),
            }
            reader.skip_space();
            match reader.peek() {
                Some(b',') => reader.at += 1,
                Some(b'}') => {
                    reader.at += 1;
                    break;
                }
                _ => return Err(reader.expected("a comma or the object's end")),
            }
            reader.skip_space();
        }
    }
    reader.skip_space();
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(reader.expected("nothing more")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> Malformed {
        Malformed {
            expected,
            at: self.at,
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.expected(what))
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads `"name" :`, with the space around the colon.
    fn name(&mut self) -> Result<Text<'a>, Malformed> {
        let name = self.string()?;
        self.skip_space();
        self.expect(b':', "a colon")?;
        self.skip_space();
        Ok(name)
    }

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'{' | b'[') => {
                self.skip_nested()?;
                Ok(Value::Nested)
            }
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.expected(word))
        }
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_len(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    let raw = &self.text[start..self.at];
                    self.at += 1;
                    return Ok(Text { raw, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("an escape for a control character")),
                None => return Err(self.expected("the string's end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.expected("four hexadecimal digits"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.expected("an escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.expected("a digit"));
        }
        Ok(())
    }

    /// Skips an object or array. Uses a byte for each level of nesting and no recursion, so that any depth is safe.
    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let mut closers = Vec::new();
        loop {
            // A value must follow.
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    self.skip_space();
                    let closer = if open == b'{' { b'}' } else { b']' };
                    if self.peek() == Some(closer) {
                        self.at += 1;
                    } else {
                        closers.push(closer);
                        if open == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // A value is complete.
            loop {
                let Some(&closer) = closers.last() else {
                    return Ok(());
                };
                self.skip_space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.skip_space();
                        if closer == b'}' {
                            self.name()?;
                        }
                        break;
                    }
                    Some(byte) if byte == closer => {
                        self.at += 1;
                        closers.pop();
                    }
                    _ => return Err(self.expected("a comma or the end of what is nested")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut fields = Vec::new();
        read_object(text.as_bytes(), |name, value| {
            fields.push((name.to_owned(), format!("{value:?}")));
        })?;
        Ok(fields)
    }

    #[test]
    fn every_field_is_reported() {
        let text = r#" { "a" : 1.5e3 , "b":[1,{"c":"]"},[]] ,"\u0064":"x\n", "e":null,"e":true} "#;
        let mut seen = Vec::new();
        read_object(text.as_bytes(), |name, value| {
            seen.push((name.to_owned(), value))
        })
        .unwrap();
        assert_eq!(seen[0], ("a".to_owned(), Value::Number("1.5e3")));
        assert_eq!(seen[0].1.number(), Some(1500.0));
        assert_eq!(seen[1], ("b".to_owned(), Value::Nested));
        assert_eq!(seen[2].0, "d");
        assert_eq!(seen[2].1.text().unwrap().decode().unwrap(), "x\n");
        assert_eq!(seen[3], ("e".to_owned(), Value::Null));
        assert_eq!(seen[4], ("e".to_owned(), Value::Bool(true)));
    }

    #[test]
    fn an_error_names_the_place_and_what_is_expected() {
        let error = fields(r#"{"a" 1}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a JSON object: a colon expected at byte 5"
        );
        assert!(fields("[1]").is_err());
        assert!(fields("{} {}").is_err());
        assert_eq!(
            read_object(b"{\"a\":\"\xff\"}", |_, _| ())
                .unwrap_err()
                .expected,
            "UTF-8"
        );
    }

    #[test]
    fn any_depth_of_nesting_is_read() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert_eq!(fields(&deep).unwrap().len(), 1);
        let open = format!("{{\"a\":{}", "{\"b\":".repeat(12_000));
        assert!(fields(&open).is_err());
    }

    fn json_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn is_object(text: &[u8]) -> bool {
        // RawValue checks only the grammar, as `read_object` does: no limit to depth or to the size of a number.
        std::str::from_utf8(text).is_ok_and(|text| {
            text.trim_start_matches([' ', '\n', '\t', '\r'])
                .starts_with('{')
                && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
        })
    }

    proptest! {
        #![proptest_config(crate::property::cases(2_000))]

        #[test]
        fn agrees_with_serde_json_on_objects(
            map in prop::collection::btree_map(any::<String>(), json_value(), 0..8),
            pretty: bool,
        ) {
            let object = serde_json::Value::Object(map.clone().into_iter().collect());
            let text = if pretty {
                serde_json::to_string_pretty(&object).unwrap()
            } else {
                object.to_string()
            };
            let mut seen = std::collections::BTreeMap::new();
            read_object(text.as_bytes(), |name, value| {
                seen.insert(name.to_owned(), match value {
                    Value::Null => serde_json::Value::Null,
                    Value::Bool(value) => value.into(),
                    // Without its feature float_roundtrip serde_json may be off by one unit in the last place.
                    Value::Number(number) if number.contains(['.', 'e']) => value.number().unwrap().into(),
                    Value::Number(number) => serde_json::from_str(number).unwrap(),
                    Value::Text(text) => text.decode().unwrap().into_owned().into(),
                    Value::Nested => "nested".into(),
                });
            }).unwrap();
            prop_assert_eq!(seen.len(), map.len());
            for (name, value) in map {
                if value.is_array() || value.is_object() {
                    prop_assert_eq!(&seen[&name], "nested");
                } else {
                    prop_assert_eq!(&seen[&name], &value);
                }
            }
        }

        #[test]
        fn agrees_with_serde_json_on_damaged_text(
            map in prop::collection::btree_map("[a-c\"\\\\\u{e9}]{0,3}", json_value(), 0..4),
            damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![
                prop::sample::select(&b"{}[]\",:\\0-9.eEu \nntf+"[..]),
                any::<u8>(),
            ], 0..3u8), 0..4),
        ) {
            let mut text = serde_json::Value::Object(map.into_iter().collect()).to_string().into_bytes();
            for (at, byte, how) in damage {
                if text.is_empty() { break; }
                let at = at.index(text.len());
                match how {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => { text.remove(at); }
                }
            }
            prop_assert_eq!(
                read_object(&text, |_, _| ()).is_ok(),
                is_object(&text),
                "{}", String::from_utf8_lossy(&text)
            );
        }
    }
}
