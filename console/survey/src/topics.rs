//! Which topics exist, and how many records they hold.

use anyhow::{Error, Result};
use connector_runtime::cluster::Client;
use connector_runtime::topic::TopicError;
use connector_runtime::{reader, topic};

use crate::report::{Survey, Topic};

pub(crate) async fn survey(client: &Client, names: &[String], survey: &mut Survey) -> Result<()> {
    for name in names {
        match look_at(client, name).await {
            Ok(topic) => survey.topics.push(topic),
            Err(error) => {
                let message = match error.downcast_ref::<TopicError>() {
                    Some(TopicError::Missing { .. }) => missing(name),
                    // Each of the others would wait as long.
                    Some(reason) if reason.is_transient() => return Err(error),
                    _ => unreadable(name, &error),
                };
                survey.report(name, message);
            }
        }
    }
    Ok(())
}

fn missing(name: &str) -> String {
    format!(
        "topic {name} is missing: `coinlake deploy` creates it on a cluster, a restart of `coinlake up` on one machine"
    )
}

fn unreadable(name: &str, error: &Error) -> String {
    format!(
        "the offsets of {name} cannot be read ({error:#}): look at `fluvio partition list` and `fluvio cluster spu list`"
    )
}

async fn look_at(client: &Client, name: &str) -> Result<Topic> {
    let partitions = topic::partition_count(client, name).await?;
    let mut records = 0;
    for partition in 0..partitions {
        records += reader::offsets(client, name, partition).await?.len();
    }
    Ok(Topic {
        name: name.to_owned(),
        partitions,
        records,
    })
}
