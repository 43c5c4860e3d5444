//! One step of a market: what one poll of `/coins/markets` returns.
//!
//! Always true: a step holds at most [`STEP_RECORDS_MAX`] elements, so that one page holds it whole; only the field
//! market has more pages than one.

use std::ops::Range;
use std::sync::Arc;

use crate::refusal::Refusal;

/// CoinGecko's largest page.
pub(crate) const STEP_RECORDS_MAX: usize = 250;

/// The elements of one JSON array.
#[derive(Debug, Default, Clone)]
pub struct Step {
    /// The market's time, milliseconds since the epoch.
    pub time_ms: i64,
    /// How old the reply is that a cache gives, in seconds.
    pub age_secs: u64,
    /// The error that is served instead of the elements.
    pub refusal: Option<&'static Refusal>,
    json: Vec<u8>,
    spans: Vec<(Option<Arc<str>>, Range<usize>)>,
}

/// One element of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The coin id, if the element is an object that has one: the key of its record.
    pub key: Option<&'a Arc<str>>,
    /// The element as it is sent.
    pub json: &'a [u8],
}

impl Step {
    /// The elements, in the order they are sent.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        self.spans.iter().map(|(key, range)| Element {
            key: key.as_ref(),
            json: &self.json[range.clone()],
        })
    }

    /// How many elements the step has.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the step has no elements.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Whether it has the same elements.
    pub(crate) fn is_same_reply(&self, other: &Self) -> bool {
        self.json == other.json
    }

    pub(crate) fn clear(&mut self) {
        self.age_secs = 0;
        self.refusal = None;
        self.json.clear();
        self.spans.clear();
    }

    /// Adds the element that `write` appends.
    pub(crate) fn push(&mut self, key: Option<Arc<str>>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.json.len();
        write(&mut self.json);
        self.spans.push((key, start..self.json.len()));
    }
}
