//! The only writer of one partition.

use std::ops::Range;
use std::time::Duration;

use crate::cluster::Client;
pub use crate::record::Outgoing;

/// How a [`TopicWriter`] writes.
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// How long an acknowledgement may take.
    pub ack_timeout: Duration,
    /// How batches are compressed; `None`: as the topic demands, else not at all.
    pub compression: Option<fluvio::Compression>,
}

/// Writes into one partition and knows where.
pub struct TopicWriter {}

impl TopicWriter {
    /// Without compression unless the topic demands it.
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        ack_timeout: Duration,
    ) -> Result<Self, WriteError> {
        Self::open_with(
            client,
            topic,
            partition,
            WriterOptions {
                ack_timeout,
                compression: None,
            },
        )
        .await
    }

    /// With all options.
    pub async fn open_with(
        _client: &Client,
        _topic: &str,
        _partition: u32,
        _options: WriterOptions,
    ) -> Result<Self, WriteError> {
        todo!()
    }

    /// The offset the next record gets.
    pub fn end_offset(&self) -> i64 {
        todo!()
    }

    /// Appends all records in order; returns when all are acknowledged, with the offsets they got. Any error poisons the
    /// writer: drop it, open another, look at the tail, go on from there.
    pub async fn append(&mut self, _records: &[Outgoing]) -> Result<Range<i64>, WriteError> {
        todo!()
    }
}

/// Why records were not written, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The connection is gone.
    #[error("placeholder")]
    Disconnected,
}

impl WriteError {
    /// Whether opening again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        true
    }
}
