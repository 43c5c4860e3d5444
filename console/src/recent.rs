//! What a stage's topic holds and its layer does not yet: the outputs since the newest commit.
//!
//! A layer may lag behind by as long as its stage's interval, a minute as shipped, which at a thousand records a second
//! is more than a console should hold. So whoever wants a coin's past reads the lake, and the end of the topic.

use connector_runtime::cluster::Cluster;
use connector_runtime::reader::{self, Record};
use connector_runtime::topic;
use lake::Lake;

use crate::answer::ApiError;

/// How many records are looked through at most, in each partition: what stages of a stalled lake leave behind is a
/// problem that the Pipeline page shows.
const RECORDS_MAX: i64 = 200_000;
/// How many of them at a time.
const STEP: i64 = 20_000;

/// Where a stage reads and writes.
#[derive(Debug)]
pub(crate) struct Derived {
    pub input: &'static str,
    pub topic: &'static str,
    pub layer: &'static str,
}

/// The stage of the features.
pub(crate) const FEATURES: Derived = Derived {
    input: "crypto-clean",
    topic: "crypto-features",
    layer: "features",
};

/// The stage of the alerts.
pub(crate) const ALERTS: Derived = Derived {
    input: "crypto-features",
    topic: "crypto-alerts",
    layer: "alerts",
};

/// The records of one key that may not be in the layer yet, and perhaps some that are. Ask before reading the lake: what
/// is committed in between is then in both, and nothing is in neither.
pub(crate) async fn uncommitted(
    cluster: &Cluster,
    lake: &Lake,
    stage: &Derived,
    key: &str,
) -> Result<Vec<Record>, ApiError> {
    let client = cluster.connect().await?;
    let mut found = Vec::new();
    for partition in 0..topic::partition_count(&client, stage.topic).await? {
        let stamp = lake.newest_stamp(stage.layer, stage.input, partition);
        let committed = stamp
            .await?
            .and_then(|stamp| stamp.topic_ends.get(stage.topic).copied());
        let held = reader::offsets(&client, stage.topic, partition).await?;
        let oldest = held.start.max(held.end - RECORDS_MAX);
        let mut from = committed.unwrap_or(held.start).clamp(oldest, held.end);
        while from < held.end {
            let until = held.end.min(from + STEP);
            let mut records =
                reader::read_range(&client, stage.topic, partition, from..until).await?;
            records.retain(|record| record.key.as_deref() == Some(key.as_bytes()));
            found.append(&mut records);
            from = until;
        }
    }
    Ok(found)
}
