//! Writing: one object, field by field, straight into a buffer.

use super::read::plain_len;

/// Writes one object. Numbers take the shortest form that reads back as the same double; what is not finite is
/// `null`.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ObjectWriter<'a> {
    /// Starts a record the way every topic but crypto-raw holds them: where it came from, then what it is.
    pub fn record(out: &'a mut Vec<u8>, source_offset: i64, status: &str) -> Self {
        out.extend_from_slice(b"{\"source_offset\":");
        push_integer(out, source_offset);
        out.extend_from_slice(b",\"status\":\"");
        out.extend_from_slice(status.as_bytes());
        out.push(b'"');
        Self { out }
    }

    /// A string field. The name is written as it is: it must need no escapes.
    #[inline]
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        push_text(self.out, text);
    }

    /// A string field, or `null`.
    pub fn optional_text(&mut self, name: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    /// An integer field.
    #[inline]
    pub fn integer(&mut self, name: &'static str, number: i64) {
        self.name(name);
        push_integer(self.out, number);
    }

    /// An integer field, or `null`.
    #[inline]
    pub fn optional_integer(&mut self, name: &'static str, number: Option<i64>) {
        match number {
            Some(number) => self.integer(name, number),
            None => self.null(name),
        }
    }

    /// A number field; `null` when it is not finite.
    #[inline]
    pub fn number(&mut self, name: &'static str, number: f64) {
        self.name(name);
        push_number(self.out, number);
    }

    /// A number field, or `null`.
    #[inline]
    pub fn optional_number(&mut self, name: &'static str, number: Option<f64>) {
        match number {
            Some(number) => self.number(name, number),
            None => self.null(name),
        }
    }

    /// A field that is an array of words which need no escapes.
    pub fn words(&mut self, name: &'static str, words: impl IntoIterator<Item = &'static str>) {
        self.name(name);
        self.out.push(b'[');
        for (at, word) in words.into_iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(word.as_bytes());
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// Ends the object.
    pub fn end(&mut self) {
        self.out.push(b'}');
    }

    fn null(&mut self, name: &'static str) {
        self.name(name);
        self.out.extend_from_slice(b"null");
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

fn push_integer(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn push_number(out: &mut Vec<u8>, number: f64) {
    if !number.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number);
    // A whole number needs no ".0" in JSON.
    let text = text.strip_suffix(".0").unwrap_or(text);
    out.extend_from_slice(text.as_bytes());
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else {
            break;
        };
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        rest = after;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_fields_in_order() {
        let mut out = Vec::new();
        let mut object = ObjectWriter::record(&mut out, 7, "accepted");
        object.text("coin", "bit\"coin\u{1}");
        object.number("price", 2.2e-7);
        object.number("whole", 69045.0);
        object.number("nan", f64::NAN);
        object.optional_number("none", None);
        object.words("kinds", ["a", "b"]);
        object.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"source_offset":7,"status":"accepted","coin":"bit\"coin\u0001","price":2.2e-7,"whole":69045,"nan":null,"none":null,"kinds":["a","b"]}"#
        );
    }

    proptest! {
        #[test]
        fn reads_back_the_same(text: String, number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
            let mut out = Vec::new();
            let mut object = ObjectWriter::record(&mut out, 0, "none");
            object.text("text", &text);
            object.number("number", number);
            object.end();
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(&value["text"], &text);
            let mut read = None;
            super::super::read_object(&out, |name, value| {
                if name == "number" { read = value.number(); }
            }).unwrap();
            prop_assert_eq!(read.unwrap().to_bits(), number.to_bits());
        }
    }
}
