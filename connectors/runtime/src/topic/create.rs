//! Creating topics and counting their partitions.

use std::time::Duration;

use fluvio::metadata::topic::TopicSpec;
use futures_util::future::BoxFuture;

use super::error::TopicError;
use super::settings::TopicSettings;
use crate::cluster::Client;
use crate::cluster::leader::Leader;
use crate::cluster::lookup::{partition_specs, topic_spec};
use crate::cluster::partition_error::PartitionError;

/// How long a new topic may take until each of its partitions has a leader.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// The pause between looks at a new topic's partitions until each has a leader.
const READY_POLL: Duration = Duration::from_millis(20);

/// How long the cluster may be silent after a request to create a topic before the client looks for the topic.
const CREATE_PATIENCE: Duration = Duration::from_secs(3);

/// The pause between those looks.
const SERVED_POLL: Duration = Duration::from_millis(250);

/// Creates the topic if it does not exist, and waits until each partition has a leader. Returns its partition count.
///
/// An existing topic keeps its settings.
///
/// # Errors
/// When an existing topic has another partition count than `topic` asks for, or when the cluster refuses or does not answer.
pub async fn ensure_topic(client: &Client, topic: &TopicSettings) -> Result<u32, TopicError> {
    let count = match topic_spec(client, &topic.name).await {
        Ok(found) => found.partitions(),
        Err(PartitionError::TopicMissing { .. }) => {
            create_topic(client, &topic.name, topic.spec()).await?
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(wanted) = topic.partitions
        && wanted != count
    {
        return Err(TopicError::OtherPartitionCount {
            topic: topic.name.clone(),
            count,
            wanted,
        });
    }
    wait_until_ready(client, &topic.name, count).await?;
    Ok(count)
}

/// Creates a topic, unless another client creates it at the same time. Returns its partition count.
///
/// # Errors
/// When the cluster refuses or does not answer.
//
// An SC answers once it has heard that every partition is online. When the SPU's report also names a topic that was just
// deleted, the SC overlooks it and stays silent on that connection for 90 s, longer than the client waits, although the topic
// is good. So the request has a connection of its own, and after some seconds the client also looks for the partitions.
pub fn create_topic<'a>(
    client: &'a Client,
    name: &'a str,
    spec: TopicSpec,
) -> BoxFuture<'a, Result<u32, TopicError>> {
    Box::pin(create(client, name, spec))
}

async fn create(client: &Client, name: &str, spec: TopicSpec) -> Result<u32, TopicError> {
    let count = spec.partitions();
    let own = client.cluster().connect().await?;
    let admin = own.admin().await;
    let looked_up = async {
        tokio::time::sleep(CREATE_PATIENCE).await;
        served(client, name, count).await
    };
    let created = tokio::select! {
        created = admin.create(name.to_owned(), false, spec) => created,
        found = looked_up => found.map(Ok)?,
    };
    match created {
        Ok(()) => {
            tracing::info!(topic = name, partitions = count, "topic created");
            Ok(count)
        }
        Err(refusal) => match topic_spec(client, name).await {
            Ok(found) => Ok(found.partitions()),
            Err(PartitionError::TopicMissing { .. }) => Err(TopicError::NotCreated {
                topic: name.to_owned(),
                reason: format!("{refusal:#}"),
            }),
            Err(error) => Err(error.into()),
        },
    }
}

/// Waits for the leaders: the cluster assigns partitions after it has reported the topic as created.
async fn wait_until_ready(client: &Client, topic: &str, count: u32) -> Result<(), TopicError> {
    let ready = assigned(client, topic, count, READY_POLL);
    match tokio::time::timeout(READY_TIMEOUT, ready).await {
        Ok(outcome) => outcome,
        Err(_) => Err(TopicError::NotReady {
            topic: topic.to_owned(),
            waited_secs: READY_TIMEOUT.as_secs(),
        }),
    }
}

/// Waits until all partitions are assigned to SPUs.
async fn assigned(
    client: &Client,
    topic: &str,
    count: u32,
    poll: Duration,
) -> Result<(), TopicError> {
    while partition_specs(client, topic).await?.len() < count as usize {
        tokio::time::sleep(poll).await;
    }
    Ok(())
}

/// Waits until the leader of each partition answers.
async fn served(client: &Client, topic: &str, count: u32) -> Result<(), TopicError> {
    assigned(client, topic, count, SERVED_POLL).await?;
    for partition in 0..count {
        loop {
            let offsets = async {
                Leader::connect(client, topic, partition)
                    .await?
                    .offsets()
                    .await
            };
            match offsets.await {
                Ok(_) => break,
                Err(PartitionError::Disconnected { .. }) => tokio::time::sleep(SERVED_POLL).await,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// The number of a topic's partitions.
///
/// # Errors
/// When the topic does not exist, or the cluster does not answer.
pub async fn partition_count(client: &Client, topic: &str) -> Result<u32, TopicError> {
    Ok(topic_spec(client, topic).await?.partitions())
}
