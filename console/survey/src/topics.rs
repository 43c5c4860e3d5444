//! Which topics exist, and how many records they hold.

use anyhow::Result;
use connector_runtime::cluster::Client;
use connector_runtime::topic::TopicError;
use connector_runtime::{reader, topic};

use crate::report::{Survey, Topic};

pub(crate) async fn survey(client: &Client, names: &[String], survey: &mut Survey) -> Result<()> {
    for name in names {
        match look_at(client, name).await {
            Ok(topic) => survey.topics.push(topic),
            Err(error) => {
                let message = match error.downcast_ref() {
                    Some(TopicError::Missing { .. }) => {
                        format!("topic {name} is missing: `coinlake deploy` creates it")
                    }
                    _ => format!("topic {name}: {error:#}"),
                };
                survey.report(name, message);
            }
        }
    }
    Ok(())
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
