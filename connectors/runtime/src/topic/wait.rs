//! Waiting for a connector's topics.

use tokio_util::sync::CancellationToken;

use super::create::ensure_topic;
use super::error::TopicError;
use super::settings::TopicSettings;
use crate::backoff::Backoff;
use crate::cluster::Cluster;

/// Waits for the cluster and creates missing topics: `topic`, and `derived` ones with as many partitions as it.
///
/// Returns the number of partitions, or `None` when `stop` came first.
///
/// # Errors
/// When waiting cannot help: the profile is wrong, a topic is refused or has another number of partitions.
pub async fn wait_for_topics(
    cluster: &Cluster,
    topic: &TopicSettings,
    derived: &[&str],
    stop: &CancellationToken,
) -> Result<Option<u32>, TopicError> {
    let mut backoff = Backoff::new();
    let mut is_away = false;
    loop {
        let ensuring = ensure_topics(cluster, topic, derived);
        let error = match stop.run_until_cancelled(ensuring).await {
            None => return Ok(None),
            Some(Ok(partitions)) => return Ok(Some(partitions)),
            Some(Err(error)) if error.is_transient() => error,
            Some(Err(error)) => return Err(error),
        };
        // One line for an outage: it may last for hours.
        if !is_away {
            tracing::warn!("{error}; retrying until it works");
        }
        is_away = true;
        let pause = tokio::time::sleep(backoff.next_delay());
        if stop.run_until_cancelled(pause).await.is_none() {
            return Ok(None);
        }
    }
}

async fn ensure_topics(
    cluster: &Cluster,
    topic: &TopicSettings,
    derived: &[&str],
) -> Result<u32, TopicError> {
    let client = cluster.connect().await?;
    let partitions = ensure_topic(&client, topic).await?;
    for name in derived {
        let wanted = TopicSettings::named(*name).with_partitions(partitions);
        let ensured = ensure_topic(&client, &wanted).await;
        ensured.map_err(|error| match error {
            TopicError::OtherPartitionCount {
                topic: derived,
                count,
                wanted,
            } => TopicError::OtherThanInput {
                topic: derived,
                count,
                input: topic.name.clone(),
                wanted,
            },
            error => error,
        })?;
    }
    Ok(partitions)
}
