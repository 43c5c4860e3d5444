//! Records of a topic, and ranges of their offsets.

use bytes::Bytes;

/// A record as the topic stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the partition.
    pub offset: i64,
    /// The producer's time in milliseconds since the epoch, UTC; -1 when the producer gave none.
    pub timestamp_ms: i64,
    /// `None` for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// The output of a SmartModule. It has no offset: the client does not learn which input it was made from. A module that
/// must say so writes it into the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `None` for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// A record to append. It gets its offset and timestamp when it is appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// `None` for a record without a key.
    pub key: Option<Bytes>,
    /// The payload.
    pub value: Bytes,
}

/// What a partition holds: the offsets from `start` up to, but not including, `end`.
///
/// ```
/// use connector_runtime::record::LogRange;
///
/// // Retention has deleted the first 40 records.
/// let log = LogRange { start: 40, end: 100 };
/// assert_eq!(log.len(), 60);
/// assert!(!log.is_empty());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The offset of the oldest record.
    pub start: i64,
    /// The offset that the next record will get.
    pub end: i64,
}

impl LogRange {
    /// The number of offsets.
    pub fn len(&self) -> i64 {
        self.end - self.start
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}
