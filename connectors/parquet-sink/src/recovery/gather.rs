//! Reads the facts that [`super::resume`] decides from.

use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::LogRange;
use lake::CommitStamp;

use super::duplicates::greatest_source_at;
use super::facts::{Facts, InputFacts, LakeFacts, TopicFacts};
use crate::config::Accept;
use crate::context::StageContext;
use crate::error::StageError;
use crate::input::{hash, record_at};
use crate::output::tail;

/// Reads what lake, input and output topics hold of one partition.
pub(crate) async fn gather(
    stage: &StageContext,
    client: &Client,
    partition: u32,
    accept: Accept,
) -> Result<Facts, StageError> {
    let lake = lake_facts(stage, partition).await?;
    // Before the input's end: what another copy of the stage appends meanwhile must not look like outputs of inputs that do
    // not exist.
    let topics = topic_facts(stage, client, partition).await?;
    Ok(Facts {
        stage: stage.plan.name.clone(),
        input: input_facts(stage, client, partition, lake.main.as_ref()).await?,
        topics,
        lake,
        accept,
    })
}

async fn lake_facts(stage: &StageContext, partition: u32) -> Result<LakeFacts, StageError> {
    let app = stage.app(partition);
    let tables = stage.tables().await?;
    let (main, sides) = tables.split_first().expect("a stage has a main table");
    let mut facts = LakeFacts {
        main: main.writer.stamp(&app).await?,
        other_stage: main.writer.rivals(&app).await?.pop(),
        side_tables: Vec::with_capacity(sides.len()),
    };
    for table in sides {
        facts.side_tables.push(table.writer.stamp(&app).await?);
    }
    Ok(facts)
}

async fn input_facts(
    stage: &StageContext,
    client: &Client,
    partition: u32,
    main: Option<&CommitStamp>,
) -> Result<InputFacts, StageError> {
    let topic = &stage.topic;
    let record = match main {
        Some(stamp) => record_at(client, topic, partition, stamp.last_offset).await?,
        None => None,
    };
    let log = reader::offsets(client, topic, partition).await?;
    let greatest_at = match main {
        Some(stamp) if stage.plan.derived && !stage.plan.transforms.is_empty() => {
            greatest_source_at(client, topic, partition, log, stamp.last_offset).await?
        }
        _ => None,
    };
    Ok(InputFacts {
        topic: topic.clone(),
        partition,
        partitions: stage.partitions,
        log,
        record_hash: record.as_ref().map(hash),
        greatest_at,
    })
}

async fn topic_facts(
    stage: &StageContext,
    client: &Client,
    partition: u32,
) -> Result<Vec<TopicFacts>, StageError> {
    let mut facts = Vec::new();
    for (_, name) in stage.plan.topics() {
        // The end comes from the same record as the tail: a dead process's late append can arrive between two requests.
        let tail = tail(client, name, partition).await?;
        let LogRange { start, .. } = reader::offsets(client, name, partition).await?;
        facts.push(TopicFacts {
            name: name.to_owned(),
            log: LogRange {
                start,
                end: tail.map_or(start, |tail| tail.offset + 1),
            },
            tail: tail.map(|tail| tail.source_offset),
        });
    }
    Ok(facts)
}
