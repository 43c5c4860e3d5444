//! Outputs that retention removes from a topic before the lake has them are computed again.

use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use fixtures::topic;
use parquet_sink::failpoints::Failpoint;

use crate::crash::{filled, kill_at, killed};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_outputs_that_are_gone_loses_nothing() {
    let mut platform = filled(Platform::embedded().await).await;
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;

    // The topic is ahead of the lake, which has nothing yet. Each batch gets a segment of its own, and only the newest stays.
    let settings = TopicSettings {
        segment_size_bytes: Some(40_000),
        partition_size_bytes_max: Some(40_000),
        ..TopicSettings::named("crypto-clean-gone")
    };
    let client = platform.client().await;
    ensure_topic(&client, &settings).await.unwrap();
    let outputs = topic::records(&client, "crypto-clean-golden", 0).await;
    let outputs = outputs.into_iter().map(|record| Outgoing {
        key: record.key,
        value: record.value,
    });
    let outputs: Vec<_> = outputs.collect();
    platform.produce("crypto-clean-gone", 0, &outputs).await;
    // A broker removes old segments when it starts.
    let is_gone = async |platform: &Platform| {
        let client = platform.client().await;
        let held = reader::offsets(&client, &settings.name, 0).await.unwrap();
        held.start > 30
    };
    platform.restart_broker_after(async || {}).await;
    eventually("old outputs are gone", || is_gone(&platform)).await;

    // The commit is within the outputs that are gone.
    let mut config = platform.config("gone", CLEAN);
    config.settings.limits.rows_max = 20;
    let failpoints = kill_at(0, |point| point == Failpoint::MainEntry);
    killed(&platform, config, failpoints).await;
    assert_eq!(platform.stamps("gone", "clean").len(), 1);

    platform.run_to_end(platform.config("gone", CLEAN)).await;
    for layer in CLEAN_MADE.layers {
        let landed = platform.rows("gone", layer).await;
        assert!(
            landed == golden.layers[*layer],
            "{layer} has {} rows instead of {}",
            landed.len(),
            golden.layers[*layer].len()
        );
    }
}
