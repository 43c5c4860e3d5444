//! A SmartModule is replaced while its stage runs: from one input to the next, without a gap or a duplicate.

use std::collections::BTreeSet;
use std::time::Duration;

use connector_runtime::process::monitor::Observed as _;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use parquet_sink::failpoints::Failpoints;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_module_takes_over_at_a_commit() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    let records = market(160);
    let (before, after) = records.split_at(records.len() / 2);
    platform.produce("crypto-raw", 0, before).await;
    let failpoints = Failpoints::default().looking_for_modules_every(Duration::from_millis(50));
    let stage = platform.start_stage_with(platform.config("swap", CLEAN), failpoints);
    stage.handles(before.len() as i64).await;
    platform
        .module("crypto-clean", "crypto-clean", b"another")
        .await;
    eventually("the outputs of the old module are committed", || async {
        let stamps = platform.stamps("swap", "clean");
        stamps
            .last()
            .is_some_and(|stamp| stamp.last_offset + 1 == before.len() as i64)
    })
    .await;
    platform.produce("crypto-raw", 0, after).await;
    stage.handles(records.len() as i64).await;
    stage.stops().await.unwrap();
    let stamps = platform.stamps("swap", "clean");
    let hashes: BTreeSet<_> = stamps
        .iter()
        .map(|stamp| stamp.modules[0].sha256.clone())
        .collect();
    assert_eq!(
        hashes.len(),
        2,
        "each commit must name the module that made it"
    );
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    assert_eq!(
        platform.landed("swap", &CLEAN_MADE).await,
        platform.landed("golden", &CLEAN_MADE).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_waits_for_a_module_that_was_deleted_while_it_ran() {
    let mut platform = Platform::embedded().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    let stage = platform.start_stage(platform.config("a", CLEAN));
    stage.handles(platform.end("crypto-raw", 0).await).await;
    let client = platform.client().await;
    let admin = client.admin().await;
    admin
        .delete::<SmartModuleSpec>("crypto-clean")
        .await
        .unwrap();
    // Its stream breaks.
    platform.restart_broker_after(async || {}).await;
    eventually("the stage names the module", || async {
        stage.status.alive().unwrap();
        let problem = stage.status.ready().err().unwrap_or_default();
        problem.contains("`crypto-clean` does not exist in the cluster")
    })
    .await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    stage.handles(platform.end("crypto-raw", 0).await).await;
    stage.stops().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_the_topic_holds_are_not_computed_again() {
    use std::ops::ControlFlow;

    use parquet_sink::failpoints::Failpoint;

    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(40)).await;
    let killed = Failpoints::new(|point| match point {
        Failpoint::TopicsAcknowledged => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let mut config = platform.config("a", CLEAN);
    config.settings.limits.rows_max = 100;
    platform
        .start_stage_with(config, killed)
        .ends()
        .await
        .unwrap_err();
    // The next run allows less lateness, so it would reject what the first one accepted at the start.
    let mut config = platform.config("a", CLEAN);
    config.transforms[0]
        .with
        .insert("allowed_lateness".to_owned(), "1m".to_owned());
    platform.run_to_end(config).await;
    let landed = platform.landed("a", &CLEAN_MADE).await;
    for (layer, topic) in [
        ("clean", "crypto-clean/0"),
        ("rejected", "crypto-rejected/0"),
    ] {
        assert_eq!(
            landed.layers[layer].len(),
            landed.topics[topic].len(),
            "{layer}"
        );
    }
    assert_eq!(
        landed.layers["clean"].len() + landed.layers["rejected"].len(),
        market(40).len()
    );
}
