//! Everything a run left behind, as rows that can be compared with those of another run.
//!
//! When a record was fetched differs from run to run; every other value must not.

use std::collections::BTreeMap;
use std::path::Path;

use connector_runtime::cluster::Client;
use fixtures::broker::TestBroker;
use fixtures::rows::{self, Row};

/// The layers, which are also the topics' names behind `crypto-`.
pub(crate) const LAYERS: [&str; 6] = [
    "raw",
    "clean",
    "rejected",
    "features",
    "alerts",
    "predictions",
];

/// What depends on the clock of the run.
const VOLATILE: [&str; 2] = ["fetched_at", "_timestamp"];

/// Rows of one layer or topic, in order.
pub(crate) type Rows = Vec<Row>;

/// Every layer of the lake under `data`, rows in the order of their input.
pub(crate) fn lake(data: &Path) -> BTreeMap<&'static str, Rows> {
    LAYERS
        .into_iter()
        .map(|layer| (layer, layer_rows(data, layer)))
        .collect()
}

/// One layer.
pub(crate) fn layer_rows(data: &Path, layer: &str) -> Rows {
    steady(rows::layer(&data.join("lake"), layer))
}

/// Every topic in the broker's log under `data`, which no other broker may have open.
pub(crate) async fn topics(data: &Path) -> BTreeMap<&'static str, Rows> {
    let mut broker = TestBroker::on(data.join("broker")).await;
    let mut topics = BTreeMap::new();
    for layer in LAYERS {
        let topic = format!("crypto-{layer}");
        topics.insert(layer, records(broker.client(), &topic, 0).await);
    }
    broker.stop().await;
    topics
}

/// Every record of a partition.
pub(crate) async fn records(client: &Client, topic: &str, partition: u32) -> Rows {
    steady(rows::topic(client, topic, partition).await)
}

/// Fails with the first rows that differ.
pub(crate) fn assert_equal(
    what: &str,
    left: &BTreeMap<&'static str, Rows>,
    right: &BTreeMap<&'static str, Rows>,
) {
    for layer in LAYERS {
        let (left, right) = (&left[layer], &right[layer]);
        for (index, (l, r)) in left.iter().zip(right).enumerate() {
            assert_eq!(l, r, "{what}, {layer}: row {index} differs");
        }
        assert_eq!(
            left.len(),
            right.len(),
            "{what}, {layer}: another number of rows"
        );
    }
}

fn steady(mut rows: Rows) -> Rows {
    for row in &mut rows {
        for column in VOLATILE {
            row.remove(column);
        }
    }
    rows
}
