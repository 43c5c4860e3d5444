//! A running platform, and what its topics and its lake hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader;
use fixtures::patience::within;
use fixtures::process::{Process, coinlake};
use fixtures::tables;
use fixtures::topic::records;
use serde_json::Value;

/// Starts `coinlake` with these arguments.
pub(crate) fn start(arguments: &[&str]) -> Process {
    Process::start(coinlake(arguments))
}

/// A console of its own, of this broker and lake.
pub(crate) fn start_console(cluster: &str, lake: &Path, more: &[&str]) -> Process {
    let lake = lake.to_str().unwrap();
    let own = [
        "console",
        "--cluster",
        cluster,
        "--lake",
        lake,
        "--listen",
        "127.0.0.1:0",
    ];
    start(&[&own[..], more].concat())
}

/// A connection to the broker at `addr`.
pub(crate) async fn connect(addr: &str) -> Client {
    Cluster::at(addr).connect().await.unwrap()
}

/// The payloads of a topic of JSON objects.
pub(crate) async fn values(client: &Client, topic: &str) -> Vec<Value> {
    let records = records(client, topic, 0).await;
    let values = records
        .iter()
        .map(|record| serde_json::from_slice(&record.value));
    values.collect::<Result<_, _>>().unwrap()
}

/// The newest row of every coin.
pub(crate) type Newest = BTreeMap<String, Value>;

/// Those of a topic of rows.
pub(crate) async fn newest(client: &Client, topic: &str) -> Newest {
    let mut newest = Newest::new();
    for row in values(client, topic).await {
        let coin = row["coin"].as_str().unwrap().to_owned();
        let older = newest
            .get(&coin)
            .is_some_and(|known| known["event_time"].as_i64() > row["event_time"].as_i64());
        if !older {
            newest.insert(coin, row);
        }
    }
    newest
}

/// Waits until `topic` holds `count` records.
pub(crate) async fn holds(client: &Client, topic: &str, count: i64) {
    within(async {
        while reader::offsets(client, topic, 0).await.unwrap().end < count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// How many rows a layer has, and in how many files.
pub(crate) fn size(lake: &Path, layer: &str) -> (u64, usize) {
    let snapshot = tables::snapshot(lake, layer).unwrap();
    (snapshot.rows(), snapshot.files().len())
}
