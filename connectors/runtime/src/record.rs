//! Records as connectors see them, and ranges of their offsets.

use bytes::Bytes;

/// A record of a topic, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the partition.
    pub offset: i64,
    /// When the producer appended it, milliseconds since the epoch, UTC; -1 when the producer did not say.
    pub timestamp_ms: i64,
    /// Absent for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// What came out of a SmartModule. It has no offset: the client cannot know which input it was made from, so a module
/// that needs to tell writes it into the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Absent for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// A record on its way into a topic. Offset and timestamp are given to it on arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Absent for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// What a partition holds: offsets from `start`, before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The oldest record.
    pub start: i64,
    /// The next record to arrive.
    pub end: i64,
}

impl LogRange {
    /// How many offsets it spans.
    pub fn len(&self) -> i64 {
        self.end - self.start
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}
