//! Reading the committed offsets of a partition, and the records of a range.

use std::ops::Range;

use super::error::ReadError;
use super::plain::PlainReader;
use super::start::check_start;
use crate::cluster::Client;
use crate::cluster::leader::Leader;
use crate::record::{LogRange, Record};

/// The response size for one record: enough for its batch in most cases; otherwise the reader asks again. Without a limit the
/// broker would also send everything that follows.
const ONE_RECORD_BYTES: usize = 64 * 1024;

/// The size of responses where a connection that breaks costs what it brought: a small one comes through, and little of what follows
/// the records that are wanted is read for nothing.
pub const SMALL_RESPONSE_BYTES: usize = 512 * 1024;

/// The committed offsets of a partition.
pub async fn offsets(client: &Client, topic: &str, partition: u32) -> Result<LogRange, ReadError> {
    let mut leader = Leader::connect(client, topic, partition).await?;
    Ok(leader.offsets().await?)
}

/// Reads the committed offsets of one partition repeatedly, over one connection.
pub struct OffsetProbe(Leader);

impl OffsetProbe {
    /// Connects to the partition's leader.
    pub async fn open(client: &Client, topic: &str, partition: u32) -> Result<Self, ReadError> {
        Ok(Self(Leader::connect(client, topic, partition).await?))
    }

    /// The committed offsets now.
    pub async fn offsets(&mut self) -> Result<LogRange, ReadError> {
        Ok(self.0.offsets().await?)
    }
}

/// The records of a range of offsets, all in memory. Offsets that deduplication skipped are missing.
///
/// # Errors
/// When the log does not hold the whole range.
pub async fn read_range(
    client: &Client,
    topic: &str,
    partition: u32,
    offsets: Range<i64>,
) -> Result<Vec<Record>, ReadError> {
    let mut leader = Leader::connect(client, topic, partition).await?;
    let log = leader.offsets().await?;
    if offsets.is_empty() {
        return Ok(Vec::new());
    }
    check_start(&leader, log, offsets.start)?;
    check_start(&leader, log, offsets.end)?;
    let max_bytes = match offsets.end - offsets.start {
        1 => ONE_RECORD_BYTES,
        _ => SMALL_RESPONSE_BYTES,
    };
    let reader = PlainReader::on(leader, offsets.start).with_max_bytes(max_bytes);
    read_until(reader, offsets.end).await
}

/// The newest committed record; `None` when the partition is empty.
pub async fn read_tail(
    client: &Client,
    topic: &str,
    partition: u32,
) -> Result<Option<Record>, ReadError> {
    let mut back = 1;
    loop {
        let mut leader = Leader::connect(client, topic, partition).await?;
        let log = leader.offsets().await?;
        let start = log.start.max(log.end - back);
        if log.is_empty() {
            return Ok(None);
        }
        let records = read_until(PlainReader::on(leader, start), log.end).await?;
        if records.is_empty() && start > log.start {
            // The newest offsets are a gap: look further back.
            back *= 64;
            continue;
        }
        return Ok(records.into_iter().next_back());
    }
}

async fn read_until(mut reader: PlainReader, end: i64) -> Result<Vec<Record>, ReadError> {
    let mut records = Vec::new();
    while reader.position() < end {
        records.extend(reader.next_response().await?);
    }
    records.retain(|record| record.offset < end);
    Ok(records)
}
