//! What comes in: the topic's own records, or what SmartModules made of them.

use bytes::Bytes;
use connector_runtime::reader::{ModuleReader, Output, PlainReader, ReadError, Record};

/// The input stream of one partition.
pub(crate) enum Input {
    /// A stage without modules.
    Plain(PlainReader),
    /// A stage with modules.
    Modules(ModuleReader),
}

impl Input {
    /// The next answer. Cancel-safe.
    pub async fn next(&mut self) -> Result<Batch, ReadError> {
        match self {
            Self::Plain(reader) => reader.next().await.map(Batch::Records),
            Self::Modules(reader) => reader.next().await.map(Batch::Outputs),
        }
    }
}

/// An answer of the input stream.
#[derive(Debug)]
pub enum Batch {
    /// The topic's own records.
    Records(Vec<Record>),
    /// What SmartModules made of them.
    Outputs(Vec<Output>),
}

impl Batch {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Records(records) => records.len(),
            Self::Outputs(outputs) => outputs.len(),
        }
    }

    /// One of them.
    pub fn item(&self, i: usize) -> Item<'_> {
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
pub struct Item<'a> {
    /// Known for records; an output says it itself.
    pub offset: Option<i64>,
    /// Known for records.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<&'a Bytes>,
    /// The payload.
    pub value: &'a Bytes,
}
