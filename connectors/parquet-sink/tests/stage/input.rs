//! When the input is not what it was, the stage stops with a sentence, and goes on when told to.

use parquet_sink::StageConfig;
use parquet_sink::config::Accept;

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

fn accepting(platform: &Platform, text: &str, accept: Accept) -> StageConfig {
    let mut config = platform.config("a", text);
    config.settings.accept = accept;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_noticed_and_landed_when_accepted() {
    let platform = landed_raw(30).await;
    let before = platform.rows("a", "raw").await;
    for minutes in [10, 60] {
        // First it is shorter than what is landed, then it holds other records.
        platform.delete_topic("crypto-raw").await;
        platform.topic("crypto-raw", 1).await;
        platform.produce("crypto-raw", 0, &market(minutes)).await;
        let sentence = refused(&platform, platform.config("a", RAW)).await;
        assert!(sentence.contains("--accept-recreated-topic"), "{sentence}");
    }
    let accept = Accept {
        recreated_topic: true,
        ..Accept::default()
    };
    platform.run_to_end(accepting(&platform, RAW, accept)).await;
    // And after that it is an ordinary topic again.
    platform.produce("crypto-raw", 0, &market(1)).await;
    platform.run_to_end(platform.config("a", RAW)).await;
    let after = platform.rows("a", "raw").await;
    assert_eq!(after[..before.len()], before[..], "the old rows stay");
    assert_eq!(
        (after.len() - before.len()) as i64,
        platform.end("crypto-raw", 0).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_needs_new_output_topics() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(30)).await;
    platform.run_to_end(platform.config("a", CLEAN)).await;
    platform.delete_topic("crypto-raw").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    let accept = Accept {
        recreated_topic: true,
        ..Accept::default()
    };
    let sentence = refused(&platform, accepting(&platform, CLEAN, accept)).await;
    assert!(
        sentence.contains(&format!(
            "fluvio topic delete {}",
            platform.name("crypto-clean-a")
        )),
        "{sentence}"
    );
    platform.delete_topic("crypto-clean-a").await;
    platform.delete_topic("crypto-rejected-a").await;
    platform
        .run_to_end(accepting(&platform, CLEAN, accept))
        .await;
    let landed = platform.landed("a", &CLEAN_MADE).await;
    assert_eq!(landed.topics["crypto-clean/0"].len(), 120);
    assert_eq!(landed.layers["clean"].len(), 90 + 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partition_count_is_noticed() {
    let platform = landed_raw(10).await;
    platform.delete_topic("crypto-raw").await;
    platform.topic("crypto-raw", 2).await;
    let sentence = refused(&platform, platform.config("a", RAW)).await;
    assert!(sentence.contains("--accept-partition-count"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_topic_of_somebody_else_is_left_alone() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    for topic in ["crypto-raw", "crypto-clean-a"] {
        platform.topic(topic, 1).await;
        platform.produce(topic, 0, &market(1)).await;
    }
    let sentence = refused(&platform, platform.config("a", CLEAN)).await;
    assert!(sentence.contains("must have no other writer"), "{sentence}");
    assert_eq!(
        platform.end("crypto-clean-a", 0).await as usize,
        market(1).len()
    );
}
