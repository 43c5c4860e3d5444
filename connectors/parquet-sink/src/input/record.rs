//! A single input record: how a restart recognises the topic.

use connector_runtime::cluster::Client;
use connector_runtime::reader::{self, ReadError};
use connector_runtime::record::Record;
use sha2::{Digest, Sha256};

/// The record at an offset; `None` when the log does not hold it.
pub(crate) async fn record_at(
    client: &Client,
    topic: &str,
    partition: u32,
    offset: i64,
) -> Result<Option<Record>, ReadError> {
    let log = reader::offsets(client, topic, partition).await?;
    if offset < log.start || offset >= log.end {
        return Ok(None);
    }
    let records = reader::read_range(client, topic, partition, offset..offset + 1).await?;
    Ok(records.into_iter().next())
}

/// SHA-256 of a record: timestamp, whether it has a key, the key's length, key, value.
pub(crate) fn hash(record: &Record) -> String {
    let mut hasher = Sha256::new();
    hasher.update(record.timestamp_ms.to_le_bytes());
    match &record.key {
        Some(key) => {
            hasher.update([1]);
            hasher.update((key.len() as u64).to_le_bytes());
            hasher.update(key);
        }
        None => hasher.update([0]),
    }
    hasher.update(&record.value);
    hex::encode(hasher.finalize())
}
