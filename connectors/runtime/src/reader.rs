//! Records of one partition, without a gap and without a double.

use std::ops::Range;

use crate::SmartModuleInvocation;
use crate::cluster::Client;
pub use crate::record::{Output, Record};

/// Records as stored.
pub struct PlainReader {}

impl PlainReader {
    /// Starts at `from_offset`.
    pub async fn open(
        _client: &Client,
        _topic: &str,
        _partition: u32,
        _from_offset: i64,
    ) -> Result<Self, ReadError> {
        todo!()
    }

    /// The next records, at least one. Waits when there are none yet. Cancel-safe: never a gap, never twice.
    pub async fn next(&mut self) -> Result<Vec<Record>, ReadError> {
        todo!()
    }
}

/// What SmartModules make of a partition's records.
pub struct ModuleReader {}

impl ModuleReader {
    /// Starts at the input record `from_offset`, with fresh modules.
    pub async fn open(
        _client: &Client,
        _topic: &str,
        _partition: u32,
        _from_offset: i64,
        _modules: Vec<SmartModuleInvocation>,
    ) -> Result<Self, ReadError> {
        todo!()
    }

    /// The next outputs; may be empty. Cancel-safe. After an error the modules' state is lost: open again.
    pub async fn next(&mut self) -> Result<Vec<Output>, ReadError> {
        todo!()
    }
}

/// What a partition holds: offsets from `start`, before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The oldest record.
    pub start: i64,
    /// The next record to arrive.
    pub end: i64,
}

/// What a partition holds now.
pub async fn offsets(
    _client: &Client,
    _topic: &str,
    _partition: u32,
) -> Result<LogRange, ReadError> {
    todo!()
}

/// The records of a range of offsets; fails when the log does not hold all of it.
pub async fn read_range(
    _client: &Client,
    _topic: &str,
    _partition: u32,
    _offsets: Range<i64>,
) -> Result<Vec<Record>, ReadError> {
    todo!()
}

/// The newest record, if there is one.
pub async fn read_tail(
    _client: &Client,
    _topic: &str,
    _partition: u32,
) -> Result<Option<Record>, ReadError> {
    todo!()
}

/// Why there are no more records.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection is gone.
    #[error("placeholder")]
    Disconnected,
}

impl ReadError {
    /// Whether opening again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        true
    }
}
