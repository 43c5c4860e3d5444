//! The input of one partition: the topic's own records, or SmartModule outputs made from them.

use bytes::Bytes;
use connector_runtime::reader::{ModuleReader, PlainReader, ReadError};
use connector_runtime::record::{Output, Record};

/// The input stream of one partition.
pub(crate) enum Input {
    /// For a stage without SmartModules.
    Plain(PlainReader),
    /// For a stage with SmartModules.
    Modules(ModuleReader),
}

impl Input {
    /// The next batch. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Batch, ReadError> {
        match self {
            Self::Plain(reader) => reader.next().await.map(Batch::Records),
            Self::Modules(reader) => reader.next().await.map(Batch::Outputs),
        }
    }
}

/// What the stream returns at a time.
#[derive(Debug)]
pub(crate) enum Batch {
    /// The topic's own records.
    Records(Vec<Record>),
    /// SmartModule outputs.
    Outputs(Vec<Output>),
}

impl Batch {
    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Outputs(outputs) => outputs.len(),
        }
    }

    /// The item at an index below [`Batch::len`].
    pub(crate) fn item(&self, i: usize) -> Item<'_> {
        match self {
            Self::Records(records) => Item {
                offset: Some(records[i].offset),
                timestamp_ms: records[i].timestamp_ms,
                key: records[i].key.as_ref(),
                value: &records[i].value,
            },
            Self::Outputs(outputs) => Item {
                offset: None,
                timestamp_ms: -1,
                key: outputs[i].key.as_ref(),
                value: &outputs[i].value,
            },
        }
    }
}

/// A record or an output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    /// The record's offset. `None` for an output, which carries a `source_offset` instead.
    pub(crate) offset: Option<i64>,
    /// The producer's timestamp; -1 for an output.
    pub(crate) timestamp_ms: i64,
    /// The key.
    pub(crate) key: Option<&'a Bytes>,
    /// The payload.
    pub(crate) value: &'a Bytes,
}
