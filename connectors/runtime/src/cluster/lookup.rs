//! What the SC knows about a topic and its partitions.

use fluvio::dataplane::record::ReplicaKey;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::topic::TopicSpec;
use futures_util::future::BoxFuture;

use super::client::{Client, REQUEST_TIMEOUT};
use super::partition_error::PartitionError;

/// A topic's specification.
pub(crate) fn topic_spec<'a>(
    client: &'a Client,
    topic: &'a str,
) -> BoxFuture<'a, Result<TopicSpec, PartitionError>> {
    Box::pin(list_topic(client, topic))
}

async fn list_topic(client: &Client, topic: &str) -> Result<TopicSpec, PartitionError> {
    let what = format!("looking up topic {topic}");
    let listed = async {
        let admin = client.admin().await;
        admin
            .list::<TopicSpec, String>(vec![topic.to_owned()])
            .await
    };
    let topics = tokio::time::timeout(REQUEST_TIMEOUT, listed)
        .await
        .map_err(|_| {
            let reason = format!("no answer in {} s", REQUEST_TIMEOUT.as_secs());
            PartitionError::disconnected(&what, reason)
        })?
        .map_err(|error| PartitionError::disconnected(&what, error))?;
    topics
        .into_iter()
        .find(|found| found.name == topic)
        .map(|found| found.spec)
        .ok_or_else(|| PartitionError::TopicMissing {
            topic: topic.to_owned(),
        })
}

/// The partitions of a topic that are assigned to an SPU, with their numbers.
pub(crate) fn partition_specs<'a>(
    client: &'a Client,
    topic: &'a str,
) -> BoxFuture<'a, Result<Vec<(u32, PartitionSpec)>, PartitionError>> {
    Box::pin(list_partitions(client, topic))
}

async fn list_partitions(
    client: &Client,
    topic: &str,
) -> Result<Vec<(u32, PartitionSpec)>, PartitionError> {
    let what = format!("looking up the partitions of {topic}");
    let admin = client.admin().await;
    // Clusters disagree about filters here, so the client lists all partitions.
    let listed = admin
        .all::<PartitionSpec>()
        .await
        .map_err(|error| PartitionError::disconnected(&what, error))?;
    Ok(listed
        .into_iter()
        .filter_map(|found| {
            let key = ReplicaKey::try_from(found.name).ok()?;
            (key.topic == topic).then_some((key.partition, found.spec))
        })
        .collect())
}

/// The specification of one partition.
pub(crate) async fn partition_spec(
    client: &Client,
    topic: &str,
    partition: u32,
) -> Result<PartitionSpec, PartitionError> {
    let specs = partition_specs(client, topic).await?;
    if let Some((_, spec)) = specs.into_iter().find(|(found, _)| *found == partition) {
        return Ok(spec);
    }
    let count = topic_spec(client, topic).await?.partitions();
    if partition < count {
        return Err(PartitionError::disconnected(
            format!("looking up {topic}/{partition}"),
            "the cluster has not assigned it to an SPU yet",
        ));
    }
    Err(PartitionError::PartitionMissing {
        topic: topic.to_owned(),
        partition,
        count,
    })
}
