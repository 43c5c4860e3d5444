//! How far a consumer is, as the cluster keeps it and `fluvio consumer list` shows it.

use std::collections::BTreeMap;

use fluvio::dataplane::link::ErrorCode;
use fluvio_spu_schema::server::consumer_offset::UpdateConsumerOffsetRequest;
use fluvio_spu_schema::server::stream_fetch::DefaultStreamFetchRequest;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use crate::cluster::client::Client;
use crate::cluster::leader::{REQUEST_TIMEOUT, Spu};

/// Stores that `consumer_id` is done with everything up to and including `last_offset`. Only for people to look at:
/// nothing depends on it, and a failure is logged at debug level.
pub async fn report(
    client: &Client,
    consumer_id: &str,
    topic: &str,
    partition: u32,
    last_offset: i64,
) {
    if let Err(reason) = store(client, consumer_id, topic, partition, last_offset).await {
        tracing::debug!(
            consumer_id, topic, partition, last_offset, %reason,
            "progress not stored for `fluvio consumer list`"
        );
    }
}

/// The last offset that `consumer_id` was done with, for each partition of `topic` it stored one for.
///
/// # Errors
/// When the cluster does not say.
pub fn stored<'a>(
    client: &'a Client,
    consumer_id: &'a str,
    topic: &'a str,
) -> BoxFuture<'a, anyhow::Result<BTreeMap<u32, i64>>> {
    Box::pin(async move {
        let stored = tokio::time::timeout(REQUEST_TIMEOUT, client.consumer_offsets()).await??;
        Ok(stored
            .into_iter()
            .filter(|stored| stored.consumer_id == consumer_id && stored.topic == topic)
            .map(|stored| (stored.partition, stored.offset))
            .collect())
    })
}

/// Stores that `consumer_id` is done with everything up to and including `last_offset`, which the log must hold.
///
/// # Errors
/// When the cluster did not confirm it.
//
// An offset is stored through a stream that was opened under the consumer's id, and the stream's id comes with its first
// answer: so a short stream is opened at a record that exists.
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

async fn store_on_stream(
    client: &Client,
    consumer_id: &str,
    topic: &str,
    partition: u32,
    last_offset: i64,
) -> anyhow::Result<()> {
    let spu = Spu::connect(client, topic, partition).await?;
    let mut request = DefaultStreamFetchRequest::default();
    request.topic = topic.to_owned();
    request.partition = partition;
    request.fetch_offset = last_offset;
    request.max_bytes = 1;
    request.consumer_id = Some(consumer_id.to_owned());
    let mut stream = spu.stream(request).await?;
    let first = tokio::time::timeout(REQUEST_TIMEOUT, stream.next())
        .await?
        .ok_or_else(|| anyhow::anyhow!("the broker closed the connection"))??;
    if first.partition.error_code != ErrorCode::None {
        anyhow::bail!(first.partition.error_code);
    }
    let update = UpdateConsumerOffsetRequest::new(last_offset, first.stream_id);
    let stored = spu.request(update, REQUEST_TIMEOUT).await?;
    if stored.error_code != ErrorCode::None {
        anyhow::bail!(stored.error_code);
    }
    Ok(())
}
