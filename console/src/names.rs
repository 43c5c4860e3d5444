//! What coins are called: records of crypto-features do not say, those of crypto-raw do.
//!
//! A name is looked for in the newest records of crypto-raw, while a page is open that may show it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connector_runtime::cluster::Cluster;
use connector_runtime::reader;
use connector_runtime::topic::partition_count;
use market::names::topic;
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior};

use crate::shared::Shared;

const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// After a look that left a coin without a name: its record is older, or has none.
const PAUSE: Duration = Duration::from_secs(60);
/// Records of each partition in one look: a reply of the largest market and more.
const RECORDS_MAX: i64 = 2_000;

/// The part of a coin object that says its name.
#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

/// Names coins while there are pages. Never returns.
pub(crate) async fn name_coins(shared: Arc<Shared>) {
    let mut rest_until = Instant::now();
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let has_pages = shared.flow.receiver_count() > 0;
        if !has_pages || Instant::now() < rest_until || !shared.market.lock().has_nameless() {
            continue;
        }
        match names(&shared.cluster).await {
            Ok(names) => {
                let mut market = shared.market.lock();
                market.take_names(names);
                if market.has_nameless() {
                    rest_until = Instant::now() + PAUSE;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "coins are named later");
                rest_until = Instant::now() + PAUSE;
            }
        }
    }
}

/// Names by coin id, as the newest records have them.
async fn names(cluster: &Cluster) -> anyhow::Result<HashMap<String, String>> {
    let client = cluster.connect().await?;
    let mut names = HashMap::new();
    for partition in 0..partition_count(&client, topic::RAW).await? {
        let held = reader::offsets(&client, topic::RAW, partition).await?;
        let from = held.start.max(held.end - RECORDS_MAX);
        let records = reader::read_range(&client, topic::RAW, partition, from..held.end).await?;
        let named = records
            .iter()
            .filter_map(|record| serde_json::from_slice(&record.value).ok());
        names.extend(named.map(|Named { id, name }| (id, name)));
    }
    Ok(names)
}
