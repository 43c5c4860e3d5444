//! Input records.

/// An input record, borrowed from the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition; 0 for a record from before the stream.
    pub offset: i64,
    /// Its timestamp in milliseconds since the epoch; 0 for a record from before the stream.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its payload.
    pub value: &'a [u8],
}
