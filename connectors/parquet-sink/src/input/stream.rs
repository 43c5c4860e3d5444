//! The input of one partition: the topic's own records, or SmartModule outputs made from them.

use std::vec;

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
            Self::Plain(reader) => {
                let records = reader.next().await?;
                Ok(Batch::Records(records.into_iter()))
            }
            Self::Modules(reader) => {
                let outputs = reader.next().await?;
                Ok(Batch::Outputs(outputs.into_iter()))
            }
        }
    }
}

/// What the stream returns at a time.
pub(crate) enum Batch {
    /// The topic's own records.
    Records(vec::IntoIter<Record>),
    /// SmartModule outputs.
    Outputs(vec::IntoIter<Output>),
}

impl Batch {
    /// Number of items left.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Outputs(outputs) => outputs.len(),
        }
    }
}

impl Iterator for Batch {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        match self {
            Self::Records(records) => records.next().map(|record| Item {
                offset: Some(record.offset),
                timestamp_ms: record.timestamp_ms,
                key: record.key,
                value: record.value,
            }),
            Self::Outputs(outputs) => outputs.next().map(|output| Item {
                offset: None,
                timestamp_ms: -1,
                key: output.key,
                value: output.value,
            }),
        }
    }
}

/// A record or an output.
#[derive(Debug)]
pub(crate) struct Item {
    /// The record's offset. `None` for an output, which carries a `source_offset` instead.
    pub(crate) offset: Option<i64>,
    /// The producer's timestamp; -1 for an output.
    pub(crate) timestamp_ms: i64,
    /// The key.
    pub(crate) key: Option<Bytes>,
    /// The payload.
    pub(crate) value: Bytes,
}
