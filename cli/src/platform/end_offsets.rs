//! How many records a topic has had.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::{reader, topic};
use market::names;

/// The end offset of each partition: the records it has had, expired ones included.
pub(crate) async fn end_offsets(client: &Client, topic: &str) -> Result<Vec<u64>> {
    let mut ends = Vec::new();
    for partition in 0..topic::partition_count(client, topic).await? {
        let range = reader::offsets(client, topic, partition).await?;
        ends.push(u64::try_from(range.end).context("an end offset is never negative")?);
    }
    Ok(ends)
}

/// The records that the topic of each layer has had, expired ones included, by the layer's name.
pub(crate) async fn records_by_layer(client: &Client) -> Result<BTreeMap<&'static str, u64>> {
    let mut records = BTreeMap::new();
    for (layer, topic) in names::layer::ALL.into_iter().zip(names::topic::ALL) {
        records.insert(layer, end_offsets(client, topic).await?.iter().sum());
    }
    Ok(records)
}
