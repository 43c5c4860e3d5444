//! Fields of records as the general readers take them.

use crate::json::{Text, Value};

/// The last millisecond of the year 9999. Up to here no sum of times overflows.
pub(crate) const EVENT_TIME_MAX: i64 = 253_402_300_799_999;

/// Says of a tick, and of what was made of it, that it comes from the coin's history. Live ones have no such field.
pub(crate) const BACKFILLED: &str = "backfilled";
/// The field as it is written, after others.
pub(super) const BACKFILLED_FIELD: &[u8; 18] = b",\"backfilled\":true";

/// The fields that every record of a derived topic begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Origin<'a> {
    /// The offset of the record it was made from.
    pub(super) source_offset: Option<i64>,
    /// The kind of record.
    pub(super) status: Option<Text<'a>>,
}

impl<'a> Origin<'a> {
    #[inline]
    pub(super) fn read(&mut self, name: &str, value: Value<'a>) {
        match name {
            "source_offset" => self.source_offset = value.integer(),
            "status" => self.status = value.text(),
            _ => {}
        }
    }

    /// Whether the record has this status, or none: records written by other tools may have none.
    pub(super) fn is(&self, status: &str) -> bool {
        self.status.is_none_or(|given| given.is(status))
    }
}

/// Only `true` is true.
pub(super) fn is_true(value: Value<'_>) -> bool {
    value == Value::Bool(true)
}

/// A finite number.
pub(super) fn finite(value: Value<'_>) -> Option<f64> {
    value.number().filter(|number| number.is_finite())
}

/// A time within [`EVENT_TIME_MAX`].
pub(super) fn event_time(value: Value<'_>) -> Option<i64> {
    value
        .integer()
        .filter(|time| (-EVENT_TIME_MAX..=EVENT_TIME_MAX).contains(time))
}

/// `Some(None)` for null; `None` when `read` rejects the value.
pub(super) fn nullable<'a, T>(
    value: Value<'a>,
    read: impl FnOnce(Value<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}
