//! Rejected raw records.

use std::borrow::Cow;

use crate::json::ObjectWriter;
use crate::label;
use crate::record::{Input, Output};

/// How many bytes of a rejected payload are stored.
const RAW_BYTES_MAX: usize = 4096;

/// The longest key that counts as a coin when the payload names none.
const KEY_BYTES_MAX: usize = 256;

/// Why a record was rejected: a closed set, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not JSON, not an object, or over 64 KiB.
    Malformed,
    /// A field that every tick needs is absent or null.
    MissingField,
    /// Not a number, not finite, not positive, not a time.
    BadValue,
    /// The tick's time is more than five minutes after the record's.
    Future,
    /// The tick's time is further behind the watermark than the allowed lateness.
    Late,
    /// The same coin and time as an earlier tick.
    Duplicate,
}

impl Reason {
    /// All of them, in the order of the checks.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::MissingField,
        Self::BadValue,
        Self::Future,
        Self::Late,
        Self::Duplicate,
    ];

    /// Its name in topics and in the lake.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::MissingField => "missing_field",
            Self::BadValue => "bad_value",
            Self::Future => "future",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
        }
    }
}

/// A rejected record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// Which check failed.
    pub reason: Reason,
    /// The details, for people.
    pub detail: Cow<'static, str>,
    /// The coin, if the payload names one.
    pub coin: Option<Cow<'a, str>>,
}

impl<'a> Rejected<'a> {
    pub(crate) fn new(
        reason: Reason,
        coin: Option<Cow<'a, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            reason,
            detail: detail.into(),
            coin,
        }
    }

    /// Writes the record of crypto-rejected.
    pub(crate) fn write(&self, input: &Input<'_>, output: &mut Output) {
        let key = input
            .key
            .filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()))
            .and_then(|key| std::str::from_utf8(key).ok());
        output.start(input.key);
        let mut object = ObjectWriter::record(&mut output.value, input.offset, "rejected");
        object.integer(label!("raw_offset"), input.offset);
        object.optional_text(label!("coin"), self.coin.as_deref().or(key));
        object.word(label!("reason"), self.reason.as_str());
        object.text(label!("detail"), &self.detail);
        object.optional_integer(label!("fetched_at"), input.known_timestamp_ms());
        object.text(label!("raw"), &cut(input.value));
        object.end();
    }
}

/// The start of a payload as a string of at most [`RAW_BYTES_MAX`] bytes, never cut within a character. Bytes that are not
/// UTF-8 become U+FFFD.
fn cut(payload: &[u8]) -> Cow<'_, str> {
    let start = &payload[..payload.len().min(RAW_BYTES_MAX)];
    let valid = match std::str::from_utf8(start) {
        Ok(text) => return Cow::Borrowed(text),
        Err(error) => error,
    };
    if valid.error_len().is_none() && payload.len() > start.len() {
        // Valid UTF-8, but the cut went through a character.
        return String::from_utf8_lossy(&start[..valid.valid_up_to()]);
    }
    let mut text = String::from_utf8_lossy(start).into_owned();
    text.truncate(text.floor_char_boundary(RAW_BYTES_MAX));
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_cut_between_characters() {
        assert_eq!(cut(b"short"), "short");
        assert_eq!(cut(&[b'a'; 5000]).len(), 4096);
        let accents = "\u{e9}".repeat(3000);
        assert_eq!(cut(accents.as_bytes()), "\u{e9}".repeat(2048));
        let shifted = format!("a{accents}");
        assert_eq!(
            cut(shifted.as_bytes()),
            format!("a{}", "\u{e9}".repeat(2047))
        );
        assert_eq!(cut(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(cut(&[0xff; 5000]), "\u{fffd}".repeat(1365));
    }
}
