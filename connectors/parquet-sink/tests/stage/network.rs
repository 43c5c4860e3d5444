//! A network that breaks every connection.

use std::sync::atomic::Ordering;
use std::time::Duration;

use connector_runtime::cluster::consumer_offset;
use faults::Network;
use parquet_sink::failpoints::Failpoints;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_makes_progress_although_every_connection_breaks() {
    let network = Network {
        cut_after_bytes: 4_000_000,
        ..Network::GOOD
    };
    let platform = Platform::embedded().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    // Several times what a connection can carry, and less than a file holds.
    platform.produce("crypto-raw", 0, &market(30_000)).await;
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;

    let platform = platform.behind(network, true, faults::seed()).await;
    let inputs = golden.layers["clean"].len() + golden.layers["rejected"].len();
    let stage = platform.start_stage(platform.config("cut", CLEAN));
    stage.handles(inputs as i64).await;
    let proxy = platform.proxy.as_ref().unwrap();
    assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
    proxy.be_calm(true);
    stage.stops().await.unwrap();
    assert_same(&platform.landed("cut", &CLEAN_MADE).await, &golden, "cut");
}

/// The SC can go away while streams stay: a stage without modules reconnects to report its progress.
#[tokio::test(flavor = "multi_thread")]
async fn progress_is_reported_after_the_sc_was_away() {
    let platform = Platform::embedded().await;
    let platform = platform.behind(Network::GOOD, false, 1).await;
    platform.topic("crypto-raw", 1).await;
    let config = platform.config("sc", RAW);
    let (consumer, topic) = (config.meta.name.clone(), config.meta.topic.name.clone());
    let stage = platform.start_stage(config);
    for _ in 0..2 {
        platform.produce("crypto-raw", 0, &market(10)).await;
        let end = platform.end("crypto-raw", 0).await;
        stage.handles(end).await;
        eventually("the progress shows", || async {
            stage.status.commit_now();
            let client = platform.client().await;
            let stored = consumer_offset::stored(&client, &consumer, &topic).await;
            stored.unwrap().get(&0) == Some(&(end - 1))
        })
        .await;
        platform.proxy.as_ref().unwrap().cut_all();
    }
    let restarts = stage.status.restarts.load(Ordering::Relaxed);
    assert_eq!(restarts, 0, "the stream must stay open");
    stage.stops().await.unwrap();
}

/// The SC can go away while streams stay: the stage reconnects to ask for the module.
#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_module_takes_over_after_the_sc_was_away() {
    let platform = Platform::embedded().await;
    let platform = platform.behind(Network::GOOD, false, 1).await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    let failpoints = Failpoints::default().looking_for_modules_every(Duration::from_millis(50));
    let stage = platform.start_stage_with(platform.config("sc", CLEAN), failpoints);
    stage.handles(market(40).len() as i64).await;
    platform.proxy.as_ref().unwrap().cut_all();
    platform
        .module("crypto-clean", "crypto-clean", b"another")
        .await;
    eventually("the outputs of the old module are committed", || async {
        !platform.stamps("sc", "clean").is_empty()
    })
    .await;
    let restarts = stage.status.restarts.load(Ordering::Relaxed);
    assert_eq!(restarts, 0, "the stream must stay open");
    stage.stops().await.unwrap();
}
