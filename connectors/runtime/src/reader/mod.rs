//! Records of one partition, without a gap and without a double.
//!
//! - [`PlainReader`] hands out every record once, in order, and only what is committed. Answers that the broker cut off
//!   are read again; a hole is accepted only when the log really has one.
//! - [`ModuleReader`] hands out what SmartModules make of the records. Their state lives as long as the reader: it never
//!   reopens by itself.
//! - Neither reconnects: [`ReadError::is_transient`] tells whether to connect again and open another.

mod cursor;
mod modules;
mod plain;

use std::ops::Range;
use std::time::Duration;

use fluvio::dataplane::link::ErrorCode;

use crate::cluster::Client;
use crate::cluster::leader::{Spu, SpuError};
pub use crate::reader::modules::ModuleReader;
pub use crate::reader::plain::PlainReader;
use crate::record::{LogRange, Record};

/// A stream that has been silent so long is asked whether it is still there.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// Enough for one record and its batch; where it isn't, the answer is asked for again. Without a limit the broker would send
/// everything that follows as well.
const ONE_RECORD_BYTES: usize = 64 * 1024;

/// What a partition holds now, as far as it is committed.
pub async fn offsets(client: &Client, topic: &str, partition: u32) -> Result<LogRange, ReadError> {
    let spu = Spu::connect(client, topic, partition).await?;
    Ok(spu.offsets().await?)
}

/// Asks one partition what it holds, as often as wanted, over one connection.
pub struct OffsetProbe(Spu);

impl OffsetProbe {
    /// Connects to the partition's leader.
    pub async fn open(client: &Client, topic: &str, partition: u32) -> Result<Self, ReadError> {
        Ok(Self(Spu::connect(client, topic, partition).await?))
    }

    /// What the partition holds now, as far as it is committed.
    pub async fn offsets(&self) -> Result<LogRange, ReadError> {
        Ok(self.0.offsets().await?)
    }
}

/// The records of a range of offsets, all in memory; fails when the log does not hold all of the range. Offsets that a
/// topic with deduplication skipped are left out.
pub async fn read_range(
    client: &Client,
    topic: &str,
    partition: u32,
    offsets: Range<i64>,
) -> Result<Vec<Record>, ReadError> {
    let spu = Spu::connect(client, topic, partition).await?;
    let held = spu.offsets().await?;
    if offsets.is_empty() {
        return Ok(Vec::new());
    }
    check_start(&spu, held, offsets.start)?;
    check_start(&spu, held, offsets.end)?;
    let mut reader = PlainReader::on(spu, offsets.start);
    if offsets.end - offsets.start == 1 {
        reader = reader.with_max_bytes(ONE_RECORD_BYTES);
    }
    read_until(reader, offsets.end).await
}

/// The newest committed record, if there is one.
pub async fn read_tail(
    client: &Client,
    topic: &str,
    partition: u32,
) -> Result<Option<Record>, ReadError> {
    let mut back = 1;
    loop {
        let spu = Spu::connect(client, topic, partition).await?;
        let held = spu.offsets().await?;
        let start = held.start.max(held.end - back);
        if held.is_empty() {
            return Ok(None);
        }
        let records = read_until(PlainReader::on(spu, start), held.end).await?;
        if records.is_empty() && start > held.start {
            // The newest offsets are a hole: look further back.
            back *= 64;
            continue;
        }
        return Ok(records.into_iter().next_back());
    }
}

async fn read_until(mut reader: PlainReader, end: i64) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    while reader.position() < end {
        records.extend(reader.next_answer().await?);
    }
    records.retain(|record| record.offset < end);
    Ok(records)
}

/// Whether a reader can start at `offset`.
fn check_start(spu: &Spu, held: LogRange, offset: i64) -> Result<(), ReadError> {
    if offset < held.start {
        return Err(ReadError::OffsetEvicted {
            partition: spu.name(),
            offset,
            log_start: held.start,
        });
    }
    if offset > held.end {
        return Err(ReadError::OffsetBeyondEnd {
            partition: spu.name(),
            offset,
            log_end: held.end,
        });
    }
    Ok(())
}

/// Why there are no more records. `partition` is `topic/number`.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection is gone, or never came about: connect again.
    #[error("{what}: {reason}")]
    Disconnected {
        /// What was being done.
        what: String,
        /// What happened.
        reason: String,
    },
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or correct its name in the config")]
    TopicMissing {
        /// Its name.
        topic: String,
    },
    /// There is no such partition.
    #[error("topic {topic} has no partition {partition}: it has {count}, counted from 0")]
    PartitionMissing {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        count: u32,
    },
    /// The record is gone: retention has deleted it.
    #[error(
        "{partition} no longer holds offset {offset}: its log starts at {log_start}, what came before was deleted by \
         the topic's retention"
    )]
    OffsetEvicted {
        /// The partition.
        partition: String,
        /// The offset asked for.
        offset: i64,
        /// The oldest one there is.
        log_start: i64,
    },
    /// The record has never been there: the topic was recreated, or it is another cluster.
    #[error(
        "{partition} has no offset {offset} yet: its log ends at {log_end}; was the topic deleted and created again?"
    )]
    OffsetBeyondEnd {
        /// The partition.
        partition: String,
        /// The offset asked for.
        offset: i64,
        /// The offset the next record will get.
        log_end: i64,
    },
    /// The SPU has no SmartModule of that name. It may get it: an SPU hears of a new one a little after the SC.
    #[error(
        "the SPU that has {partition} knows no SmartModule {name}: if `fluvio smartmodule list` does not show it, create \
         it, or correct `uses` in the config"
    )]
    ModuleMissing {
        /// The partition it was to read.
        partition: String,
        /// Its name.
        name: String,
    },
    /// A SmartModule refused its parameters, or failed on a record.
    #[error("a SmartModule reading {partition} failed: {message}")]
    ModuleFailed {
        /// The partition it was reading.
        partition: String,
        /// What it said.
        message: String,
    },
    /// The log holds bytes that are not records.
    #[error("{partition} cannot be read at offset {offset}: {reason}")]
    Corrupt {
        /// The partition.
        partition: String,
        /// Where.
        offset: i64,
        /// Why.
        reason: String,
    },
    /// The cluster refuses for a reason of its own.
    #[error("the cluster refuses to read {partition}: {reason}")]
    Refused {
        /// The partition.
        partition: String,
        /// What it said.
        reason: String,
    },
}

impl ReadError {
    /// Whether opening again on a fresh connection can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::ModuleMissing { .. })
    }

    /// What an error code in a stream's answer means.
    fn from_code(code: ErrorCode, spu: &Spu, position: i64) -> Self {
        let partition = spu.name();
        match code {
            ErrorCode::OffsetEvicted {
                offset,
                next_available,
            } => Self::OffsetEvicted {
                partition,
                offset,
                log_start: next_available,
            },
            ErrorCode::OffsetOutOfRange => Self::Refused {
                partition,
                reason: format!("offset {position} is out of the log's range"),
            },
            ErrorCode::TopicNotFound | ErrorCode::TopicDeleted => Self::TopicMissing {
                topic: spu.topic.clone(),
            },
            ErrorCode::NotLeaderForPartition
            | ErrorCode::PartitionNotLeader
            | ErrorCode::PartitionPendingInitialization
            | ErrorCode::TopicPendingInitialization
            | ErrorCode::TopicNotProvisioned
            | ErrorCode::SpuOffline
            | ErrorCode::SpuNotFound
            | ErrorCode::FetchSessionNotFoud
            | ErrorCode::RequestTimedOut { .. } => Self::Disconnected {
                what: format!("reading {partition}"),
                reason: code.to_string(),
            },
            // What an SPU says when it could not read its log for the modules: it closes the file of a segment that is full
            // under the streams that read it, and may even read another file under the same number then.
            ErrorCode::Other(error) if error.starts_with("SmartModule err ") => {
                Self::Disconnected {
                    what: format!("reading {partition}"),
                    reason: format!("the SPU could not read its log: {error}"),
                }
            }
            ErrorCode::SmartModuleNotFound { name } => Self::ModuleMissing { partition, name },
            ErrorCode::SmartModuleError
            | ErrorCode::SmartModuleInvalid { .. }
            | ErrorCode::SmartModuleInvalidExports { .. }
            | ErrorCode::SmartModuleRuntimeError(_)
            | ErrorCode::SmartModuleChainInitError(_)
            | ErrorCode::SmartModuleInitError(_)
            | ErrorCode::SmartModuleLookBackError(_)
            | ErrorCode::SmartModuleMemoryLimitExceeded { .. } => Self::ModuleFailed {
                partition,
                message: code.to_string(),
            },
            other => Self::Refused {
                partition,
                reason: other.to_string(),
            },
        }
    }
}

impl From<SpuError> for ReadError {
    fn from(err: SpuError) -> Self {
        match err {
            SpuError::TopicMissing { topic } => Self::TopicMissing { topic },
            SpuError::PartitionMissing {
                topic,
                partition,
                count,
            } => Self::PartitionMissing {
                topic,
                partition,
                count,
            },
            SpuError::Disconnected { what, reason } => Self::Disconnected { what, reason },
        }
    }
}
