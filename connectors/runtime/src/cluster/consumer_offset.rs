//! The positions of consumers that the cluster stores and `fluvio consumer list` shows.

use std::collections::BTreeMap;

use fluvio::dataplane::link::ErrorCode;
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use futures_util::future::BoxFuture;

use super::client::{Client, REQUEST_TIMEOUT};
use super::leader::Leader;

/// How far one consumer is in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOffset {
    /// Whose position it is.
    pub consumer_id: String,
    /// The partition.
    pub partition: u32,
    /// The last offset that it has handled.
    pub offset: i64,
}

/// The positions of all consumers of `topic`.
///
/// # Errors
/// When the cluster does not answer.
pub fn of_topic<'a>(
    client: &'a Client,
    topic: &'a str,
) -> BoxFuture<'a, anyhow::Result<Vec<StoredOffset>>> {
    Box::pin(async move {
        let stored = tokio::time::timeout(REQUEST_TIMEOUT, client.consumer_offsets()).await??;
        let stored = stored.into_iter().filter(|stored| stored.topic == topic);
        Ok(stored
            .map(|stored| StoredOffset {
                consumer_id: stored.consumer_id,
                partition: stored.partition,
                offset: stored.offset,
            })
            .collect())
    })
}

/// The last offset that `consumer_id` has handled, for each partition of `topic` with a stored offset.
///
/// # Errors
/// When the cluster does not answer.
pub fn stored<'a>(
    client: &'a Client,
    consumer_id: &'a str,
    topic: &'a str,
) -> BoxFuture<'a, anyhow::Result<BTreeMap<u32, i64>>> {
    Box::pin(async move {
        let stored = of_topic(client, topic).await?.into_iter();
        Ok(stored
            .filter(|stored| stored.consumer_id == consumer_id)
            .map(|stored| (stored.partition, stored.offset))
            .collect())
    })
}

/// Stores that `consumer_id` has handled everything up to and including `last_offset`, a record that the log still holds.
///
/// # Errors
/// When the cluster does not confirm it.
pub fn store<'a>(
    client: &'a Client,
    consumer_id: &'a str,
    topic: &'a str,
    partition: u32,
    last_offset: i64,
) -> BoxFuture<'a, anyhow::Result<()>> {
    Box::pin(store_on_stream(
        client,
        consumer_id,
        topic,
        partition,
        last_offset,
    ))
}

/// The broker stores an offset only for a stream that was opened under the consumer's id, and the first response carries the
/// stream's id. So this opens a stream at a record that exists.
async fn store_on_stream(
    client: &Client,
    consumer_id: &str,
    topic: &str,
    partition: u32,
    last_offset: i64,
) -> anyhow::Result<()> {
    let mut leader = Leader::connect(client, topic, partition).await?;
    let mut request = DefaultStreamFetchRequest::default();
    request.topic = topic.to_owned();
    request.partition = partition;
    request.fetch_offset = last_offset;
    request.max_bytes = 1;
    request.consumer_id = Some(consumer_id.to_owned());
    leader.stream(request).await?;
    let first = tokio::time::timeout(REQUEST_TIMEOUT, leader.response()).await??;
    if first.partition.error_code != ErrorCode::None {
        anyhow::bail!(first.partition.error_code);
    }
    let update = UpdateConsumerOffsetRequest::new(last_offset, first.stream_id);
    let stored = leader.request(update, REQUEST_TIMEOUT).await?;
    if stored.error_code != ErrorCode::None {
        anyhow::bail!(stored.error_code);
    }
    Ok(())
}
