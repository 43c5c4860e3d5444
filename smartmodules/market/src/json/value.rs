//! Values of fields, still as text.

use std::borrow::Cow;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as text; [`Value::number`] gives its value.
    Number(&'a str),
    /// A string.
    Text(Text<'a>),
    /// An object or array: only its syntax is checked.
    Nested,
}

impl<'a> Value<'a> {
    /// The nearest double, infinite when it is too large for one; `None` if this is not a number.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// `None` if this is not a whole number within i64 written without fraction or exponent.
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// `None` if this is not a string.
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A string, still escaped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Text<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Text<'a> {
    /// The string without its escapes; `None` if an escape stands for half a surrogate pair.
    pub fn decode(self) -> Option<Cow<'a, str>> {
        if self.escaped {
            // Rare, so serde_json may do it: it handles surrogate pairs.
            let quoted = format!("\"{}\"", self.raw);
            serde_json::from_str(&quoted).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.raw))
        }
    }

    /// Whether the string, without its escapes, equals `other`.
    pub fn is(self, other: &str) -> bool {
        if self.escaped {
            self.decode().is_some_and(|text| text == other)
        } else {
            self.raw == other
        }
    }
}
