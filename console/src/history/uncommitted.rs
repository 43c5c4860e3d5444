//! What a stage has written to its topic and not yet committed to its layer.
//!
//! A layer lags by up to the stage's commit interval, one minute in the shipped configs. At a thousand records per second
//! that is too much to hold in memory, so a chart reads a snapshot of the layer and the topic from where the snapshot ends.

use connector_runtime::cluster::Cluster;
use connector_runtime::reader;
use connector_runtime::record::Record;
use connector_runtime::topic::partition_count;
use lake::Snapshot;
use market::names::topic;

use crate::history::error::HistoryError;

/// How many records of each partition are searched at most. More are uncommitted only while a stage is stuck, which the
/// Pipeline page reports.
const RECORDS_MAX: i64 = 200_000;
/// Records read at a time.
const CHUNK: i64 = 20_000;

/// The input and outputs of a stage.
#[derive(Debug)]
pub(crate) struct Derived {
    pub input: &'static str,
    pub topic: &'static str,
}

pub(crate) const FEATURES: Derived = Derived {
    input: topic::CLEAN,
    topic: topic::FEATURES,
};

pub(crate) const ALERTS: Derived = Derived {
    input: topic::FEATURES,
    topic: topic::ALERTS,
};

pub(crate) const PREDICTIONS: Derived = Derived {
    input: topic::FEATURES,
    topic: topic::PREDICTIONS,
};

/// The records with this key, or all, that a snapshot of the layer does not have, and perhaps some that it has. `None` is a layer without
/// any commit.
pub(crate) async fn records(
    cluster: &Cluster,
    snapshot: Option<&Snapshot>,
    stage: &Derived,
    key: Option<&str>,
) -> Result<Vec<Record>, HistoryError> {
    let client = cluster.connect().await?;
    let mut found = Vec::new();
    for partition in 0..partition_count(&client, stage.topic).await? {
        let stamp = snapshot.and_then(|snapshot| snapshot.stamp(stage.input, partition));
        let committed = stamp.and_then(|stamp| stamp.topic_ends.get(stage.topic).copied());
        let held = reader::offsets(&client, stage.topic, partition).await?;
        let oldest = held.start.max(held.end - RECORDS_MAX);
        let mut from = committed.unwrap_or(held.start).clamp(oldest, held.end);
        while from < held.end {
            let until = held.end.min(from + CHUNK);
            let mut records =
                reader::read_range(&client, stage.topic, partition, from..until).await?;
            if let Some(key) = key {
                records.retain(|record| record.key.as_deref() == Some(key.as_bytes()));
            }
            found.append(&mut records);
            from = until;
        }
    }
    Ok(found)
}
