//! Writes one object, field by field, straight into a buffer.

use super::buffer::Buffer;
use super::float::{NUMBER_ROOM, ZEROS, eight_digits, write_number};
use super::scan::plain_len;

/// The longest label.
const LABEL_BYTES_MAX: usize = 24;

/// A field's name as text after other fields: `,"price":`. [`label!`](crate::label) computes it at compile time, as three
/// numbers, so that writing it is three stores.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    eights: [u64; 3],
    len: usize,
}

impl Label {
    /// A label from a text of at most 24 bytes.
    ///
    /// # Panics
    ///
    /// When the text is longer; at compile time, in a `const`.
    pub const fn new(text: &str) -> Self {
        let text = text.as_bytes();
        assert!(text.len() <= LABEL_BYTES_MAX);
        let (mut eights, mut at) = ([0; 3], 0);
        while at < text.len() {
            eights[at / 8] |= (text[at] as u64) << (at % 8 * 8);
            at += 1;
        }
        Self {
            eights,
            len: text.len(),
        }
    }
}

/// The [`Label`](crate::json::Label) of a field. The name must need no escapes.
#[macro_export]
macro_rules! label {
    ($name:expr) => {
        const { $crate::json::Label::new(concat!(",\"", $name, "\":")) }
    };
}

/// Writes one object. A number takes the shortest form that reads back as the same double, or `null` if it is not finite.
/// Fields are named by [`label!`](crate::label).
///
/// ```
/// use market::json::{Buffer, ObjectWriter};
/// use market::label;
///
/// let mut buffer = Buffer::default();
/// let mut object = ObjectWriter::record(&mut buffer, 7, "accepted");
/// object.text(label!("coin"), "bitcoin");
/// object.number(label!("price"), 2.2e-7);
/// object.end();
/// assert_eq!(buffer.as_slice(), br#"{"source_offset":7,"status":"accepted","coin":"bitcoin","price":2.2e-7}"#);
/// ```
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Buffer,
}

impl<'a> ObjectWriter<'a> {
    /// Starts a record with the fields that all topics but crypto-raw begin with: its source offset and its status.
    #[inline]
    pub fn record(out: &'a mut Buffer, source_offset: i64, status: &'static str) -> Self {
        let mut object = Self { out };
        // The object's brace in place of a label's comma.
        object.integer(const { Label::new("{\"source_offset\":") }, source_offset);
        object.word(label!("status"), status);
        object
    }

    /// Fields that are JSON already, without commas around them.
    #[inline]
    pub fn fields(&mut self, fields: &[u8]) {
        self.out.push(b',');
        self.out.extend(fields);
    }

    /// A string field.
    #[inline]
    pub fn text(&mut self, label: Label, text: &str) {
        self.label(label);
        push_text(self.out, text);
    }

    /// A string field, or `null`.
    #[inline]
    pub fn optional_text(&mut self, label: Label, text: Option<&str>) {
        match text {
            Some(text) => self.text(label, text),
            None => self.null(label),
        }
    }

    /// A string field whose value needs no escapes.
    #[inline]
    pub fn word(&mut self, label: Label, word: &'static str) {
        self.label(label);
        push_word(self.out, word);
    }

    /// A field that is `true`.
    #[inline]
    pub fn yes(&mut self, label: Label) {
        self.label(label);
        self.out.extend(b"true");
    }

    /// An integer field.
    #[inline(always)]
    pub fn integer(&mut self, label: Label, number: i64) {
        self.label(label);
        push_integer(self.out, number);
    }

    /// An integer field, or `null`.
    #[inline(always)]
    pub fn optional_integer(&mut self, label: Label, number: Option<i64>) {
        match number {
            Some(number) => self.integer(label, number),
            None => self.null(label),
        }
    }

    /// A number field; `null` when it is not finite.
    #[inline(always)]
    pub fn number(&mut self, label: Label, number: f64) {
        let room = self.out.room::<{ LABEL_BYTES_MAX + NUMBER_ROOM }>();
        put_label(room, label);
        let after: &mut [u8; NUMBER_ROOM] = room[label.len..]
            .first_chunk_mut()
            .expect("a label is no longer than its room");
        let len = if number.is_finite() {
            write_number(after, number)
        } else {
            after[..4].copy_from_slice(b"null");
            4
        };
        self.out.advance(label.len + len);
    }

    /// A number field, or `null`.
    #[inline(always)]
    pub fn optional_number(&mut self, label: Label, number: Option<f64>) {
        self.number(label, number.unwrap_or(f64::NAN));
    }

    /// A field with an array of words that need no escapes.
    pub fn words<'w>(&mut self, label: Label, words: impl IntoIterator<Item = &'w str>) {
        self.label(label);
        self.out.push(b'[');
        for (at, word) in words.into_iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            push_word(self.out, word);
        }
        self.out.push(b']');
    }

    /// Ends the object.
    #[inline]
    pub fn end(&mut self) {
        self.out.push(b'}');
    }

    #[inline]
    fn null(&mut self, label: Label) {
        self.label(label);
        self.out.room::<4>().copy_from_slice(b"null");
        self.out.advance(4);
    }

    #[inline(always)]
    fn label(&mut self, label: Label) {
        put_label(self.out.room::<LABEL_BYTES_MAX>(), label);
        self.out.advance(label.len);
    }
}

#[inline(always)]
fn put_label<const N: usize>(room: &mut [u8; N], label: Label) {
    for (eight, to) in label.eights.into_iter().zip(room.as_chunks_mut::<8>().0) {
        *to = eight.to_le_bytes();
    }
}

fn push_word(out: &mut Buffer, word: &str) {
    out.push(b'"');
    out.extend_short(word.as_bytes());
    out.push(b'"');
}

fn push_integer(out: &mut Buffer, number: i64) {
    match number {
        0..=9 => out.push(b'0' + number as u8),
        10..=99_999_999 => {
            let digits = eight_digits(number as u64);
            let zeros = digits.trailing_zeros() / 8;
            *out.room::<8>() = ((digits | ZEROS) >> (zeros * 8)).to_le_bytes();
            out.advance(8 - zeros as usize);
        }
        _ => out.extend_short(itoa::Buffer::new().format(number).as_bytes()),
    }
}

fn push_text(out: &mut Buffer, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_short(plain);
        let Some((&byte, after)) = special.split_first() else {
            break;
        };
        match byte {
            b'"' | b'\\' => out.extend_short(&[b'\\', byte]),
            b'\n' => out.extend_short(b"\\n"),
            b'\r' => out.extend_short(b"\\r"),
            b'\t' => out.extend_short(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_short(b"\\u00");
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
    fn fields_are_written_in_order() {
        let mut out = Buffer::default();
        let mut object = ObjectWriter::record(&mut out, 7, "accepted");
        object.text(label!("coin"), "bit\"coin\u{1}");
        object.number(label!("price"), 2.2e-7);
        object.number(label!("whole"), 69045.0);
        object.number(label!("nan"), f64::NAN);
        object.optional_number(label!("none"), None);
        object.words(label!("kinds"), ["a", "b"]);
        object.end();
        assert_eq!(
            String::from_utf8(out.as_slice().to_vec()).unwrap(),
            r#"{"source_offset":7,"status":"accepted","coin":"bit\"coin\u0001","price":2.2e-7,"whole":69045,"nan":null,"none":null,"kinds":["a","b"]}"#
        );
    }

    proptest! {
        #![proptest_config(crate::property::cases(1_000))]

        #[test]
        fn values_are_read_back_unchanged(text: String, number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
            let mut out = Buffer::default();
            let mut object = ObjectWriter::record(&mut out, 0, "none");
            object.text(label!("text"), &text);
            object.number(label!("number"), number);
            object.end();
            let value: serde_json::Value = serde_json::from_slice(out.as_slice()).unwrap();
            prop_assert_eq!(&value["text"], &text);
            let mut read = None;
            super::super::read_object(out.as_slice(), |name, value| {
                if name == "number" { read = value.number(); }
            }).unwrap();
            prop_assert_eq!(read.unwrap().to_bits(), number.to_bits());
        }
    }
}
