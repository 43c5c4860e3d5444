//! Input and output records of the modules.

use crate::json::{Buffer, ObjectWriter};

/// A record of the input topic.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// The record's timestamp, in milliseconds since the epoch. Zero or less means unknown: records from before the stream
    /// come without one.
    pub timestamp_ms: i64,
    /// Its key, the coin.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub value: &'a [u8],
}

impl Input<'_> {
    /// The record's timestamp, if it has one.
    pub(crate) fn known_timestamp_ms(&self) -> Option<i64> {
        (self.timestamp_ms > 0).then_some(self.timestamp_ms)
    }
}

/// An output record. Reuse it: its buffers keep their memory.
#[derive(Debug, Default, Clone)]
pub struct Output {
    key: Buffer,
    keyed: bool,
    pub(crate) value: Buffer,
}

impl Output {
    /// An empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// The record's key, the coin.
    pub fn key(&self) -> Option<&[u8]> {
        self.keyed.then_some(self.key.as_slice())
    }

    /// The payload, one JSON object.
    pub fn value(&self) -> &[u8] {
        self.value.as_slice()
    }

    /// Begins a new record with this key.
    pub(crate) fn start(&mut self, key: Option<&[u8]>) {
        self.key.clear();
        self.key.extend_short(key.unwrap_or_default());
        self.keyed = key.is_some();
        self.value.clear();
    }

    /// The output for an input that has no other: status `none`.
    pub(crate) fn none(&mut self, source_offset: i64) {
        self.start(None);
        let mut object = ObjectWriter::record(&mut self.value, source_offset, "none");
        object.end();
    }
}
