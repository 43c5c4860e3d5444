//! When the input topic has changed, the stage stops with an error that names the flag to continue with.

use std::ops::ControlFlow;

use connector_runtime::process::monitor::Observed as _;
use connector_runtime::reader;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use parquet_sink::StageConfig;
use parquet_sink::config::Accept;
use parquet_sink::failpoints::{Failpoint, Failpoints};

use crate::support::*;

async fn landed_raw(records: i64) -> Platform {
    let platform = Platform::start().await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(records)).await;
    platform.run_to_end(platform.config("a", RAW)).await;
    platform
}

async fn refused(platform: &Platform, config: StageConfig) -> String {
    platform
        .start_stage(config)
        .ends()
        .await
        .unwrap_err()
        .to_string()
}

const RECREATED: Accept = Accept {
    recreated_topic: true,
    lost_records: false,
    partition_count: false,
};
const LOST_RECORDS: Accept = Accept {
    recreated_topic: false,
    lost_records: true,
    partition_count: false,
};
const PARTITION_COUNT: Accept = Accept {
    recreated_topic: false,
    lost_records: false,
    partition_count: true,
};

fn accepting(platform: &Platform, text: &str, accept: Accept) -> StageConfig {
    let mut config = platform.config("a", text);
    config.settings.accept = accept;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_topic_is_refused_and_landed_when_accepted() {
    let platform = landed_raw(30).await;
    let before = platform.rows("a", "raw").await;
    for minutes in [10, 60] {
        // First it is shorter than what is landed, then it holds other records.
        platform.delete_topic("crypto-raw").await;
        platform.topic("crypto-raw", 1).await;
        platform.produce("crypto-raw", 0, &market(minutes)).await;
        let message = refused(&platform, platform.config("a", RAW)).await;
        assert!(message.contains("--accept-recreated-topic"), "{message}");
    }
    platform
        .run_to_end(accepting(&platform, RAW, RECREATED))
        .await;
    // Later starts need no flag.
    platform.produce("crypto-raw", 0, &market(1)).await;
    platform.run_to_end(platform.config("a", RAW)).await;
    let after = platform.rows("a", "raw").await;
    let mut new = after.clone();
    for row in &before {
        let found = new.iter().position(|other| other == row);
        new.remove(found.expect("the old rows must stay"));
    }
    assert_eq!(new.len() as i64, platform.end("crypto-raw", 0).await);
}

/// What the operator accepted at the start may be weeks ago.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_lost_while_the_stage_runs_are_refused_though_others_were_accepted() {
    let mut platform = Platform::embedded().await;
    // Each batch gets a segment of its own, and only the newest stays.
    let settings = TopicSettings {
        segment_size_bytes: Some(40_000),
        partition_size_bytes_max: Some(40_000),
        ..TopicSettings::named("crypto-raw")
    };
    ensure_topic(&platform.client().await, &settings)
        .await
        .unwrap();
    platform.produce("crypto-raw", 0, &market(10)).await;
    let landed = market(10).len() as i64;
    let stage = platform.start_stage(accepting(&platform, RAW, LOST_RECORDS));
    eventually("the stage commits", || async {
        stage.status.commit_now();
        stage.status.next_uncommitted() == landed
    })
    .await;
    // A file takes the place of the table's folder: the stage cannot start over.
    let lake = platform.lake_path("a");
    let (table, aside) = (lake.join("raw"), lake.join("aside"));
    std::fs::rename(&table, &aside).unwrap();
    std::fs::write(&table, "").unwrap();
    platform.restart_broker_after(async || {}).await;
    eventually("the stage waits for the lake", || async {
        let problem = stage.status.ready().err().unwrap_or_default();
        problem.contains("the lake")
    })
    .await;
    // Meanwhile retention removes what the lake lacks.
    for minutes in [10..200, 200..400] {
        let records = market_between(minutes);
        platform.produce("crypto-raw", 0, &records).await;
    }
    // A broker removes old segments when it starts.
    platform.restart_broker_after(async || {}).await;
    eventually("records are gone", || async {
        let client = platform.client().await;
        let held = reader::offsets(&client, "crypto-raw", 0).await.unwrap();
        held.start > landed
    })
    .await;
    std::fs::remove_file(&table).unwrap();
    std::fs::rename(&aside, &table).unwrap();
    let message = stage.ends().await.unwrap_err().to_string();
    assert!(message.contains("--accept-lost-records"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_topic_needs_recreated_output_topics() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(30)).await;
    platform.run_to_end(platform.config("a", CLEAN)).await;
    platform.delete_topic("crypto-raw").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    let message = refused(&platform, accepting(&platform, CLEAN, RECREATED)).await;
    assert!(
        message.contains(&format!(
            "fluvio topic delete {}",
            platform.name("crypto-clean-a")
        )),
        "{message}"
    );
    platform.delete_topic("crypto-clean-a").await;
    platform.delete_topic("crypto-rejected-a").await;
    // A kill before the first rows are committed leaves outputs of the new topic.
    let killed = Failpoints::new(|point| match point {
        Failpoint::TopicsAcknowledged => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let mut config = accepting(&platform, CLEAN, RECREATED);
    config.settings.limits.rows_max = 70;
    let killed = platform.start_stage_with(config, killed).ends().await;
    assert_eq!(killed.unwrap_err().to_string(), "killed by a test");
    assert!(platform.end("crypto-clean-a", 0).await > 0);
    platform
        .run_to_end(accepting(&platform, CLEAN, RECREATED))
        .await;
    let landed = platform.landed("a", &CLEAN_MADE).await;
    assert_eq!(landed.topics["crypto-clean/0"].len(), 120);
    assert_eq!(landed.layers["clean"].len(), 90 + 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partition_count_is_refused_until_it_is_accepted() {
    let platform = landed_raw(10).await;
    let landed = platform.rows("a", "raw").await.len();
    platform.delete_topic("crypto-raw").await;
    platform.topic("crypto-raw", 2).await;
    platform.produce("crypto-raw", 0, &market(10)).await;
    let message = refused(&platform, platform.config("a", RAW)).await;
    assert!(message.contains("--accept-partition-count"), "{message}");
    let accept = Accept {
        recreated_topic: true,
        ..PARTITION_COUNT
    };
    platform.run_to_end(accepting(&platform, RAW, accept)).await;
    assert_eq!(platform.rows("a", "raw").await.len(), 2 * landed);
}

/// A stage without results accepts a change, too: the flag is needed once.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_stays_accepted_without_a_row() {
    let platform = Platform::start().await;
    platform
        .module("crypto-anomaly", "crypto-anomaly", b"")
        .await;
    platform.topic("crypto-features", 1).await;
    // Raw ticks are not features, so the module has no result for any of them.
    platform.produce("crypto-features", 0, &market(30)).await;
    let stage = platform.start_stage(platform.config("a", ALERTS));
    eventually("the stage commits how far it is", || async {
        stage.status.commit_now();
        stage.status.next_uncommitted() > 0
    })
    .await;
    stage.stops().await.unwrap();
    for (partitions, accept) in [(1, RECREATED), (2, PARTITION_COUNT)] {
        platform.delete_topic("crypto-features").await;
        platform.delete_topic("crypto-alerts-a").await;
        platform.topic("crypto-features", partitions).await;
        let message = refused(&platform, platform.config("a", ALERTS)).await;
        assert!(message.contains("--accept-"), "{message}");
        for config in [
            accepting(&platform, ALERTS, accept),
            platform.config("a", ALERTS),
        ] {
            platform.produce("crypto-features", 0, &market(1)).await;
            platform.run_to_end(config).await;
        }
    }
    assert!(platform.rows("a", "alerts").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_topic_with_another_writer_is_refused() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    for topic in ["crypto-raw", "crypto-clean-a"] {
        platform.topic(topic, 1).await;
        platform.produce(topic, 0, &market(1)).await;
    }
    let message = refused(&platform, platform.config("a", CLEAN)).await;
    assert!(message.contains("must have no other writer"), "{message}");
    assert_eq!(
        platform.end("crypto-clean-a", 0).await as usize,
        market(1).len()
    );
}
