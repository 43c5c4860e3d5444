//! How many records a topic has had.

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::{reader, topic};

/// The end offset of each partition: the records it has had, expired ones included.
pub(crate) async fn end_offsets(client: &Client, topic: &str) -> Result<Vec<u64>> {
    let mut ends = Vec::new();
    for partition in 0..topic::partition_count(client, topic).await? {
        let range = reader::offsets(client, topic, partition).await?;
        ends.push(u64::try_from(range.end).context("an end offset is never negative")?);
    }
    Ok(ends)
}
