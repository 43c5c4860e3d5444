//! Liveness and readiness of a running stage.

use std::sync::atomic::Ordering;

use connector_runtime::process::monitor::Observed;

use crate::support::{CLEAN, Platform, eventually, market};

#[tokio::test(flavor = "multi_thread")]
async fn is_ready_only_while_the_broker_answers_and_alive_throughout() {
    let mut platform = Platform::embedded().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(5)).await;
    let stage = platform.start_stage(platform.config("probes", CLEAN));
    assert!(
        stage.status.ready().is_err(),
        "it must not be ready before its streams are open"
    );
    eventually("the stage is ready", || async {
        stage.status.ready().is_ok()
    })
    .await;
    platform
        .restart_broker_after(async || {
            eventually("the stage is not ready", || async {
                stage.status.ready().is_err()
            })
            .await;
            stage.status.alive().unwrap();
        })
        .await;
    eventually("the stage is ready again", || async {
        stage.status.ready().is_ok()
    })
    .await;

    let status = stage.status.clone();
    stage.stops().await.unwrap();
    assert_eq!(status.alive(), Err("it was stopped".to_owned()));
    assert!(status.ready().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn is_not_ready_while_the_lake_cannot_be_written() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    let mut config = platform.config("refused", CLEAN);
    config.settings.limits.interval = std::time::Duration::from_millis(50);
    let lake = platform.lake_path("refused");
    std::fs::create_dir_all(&lake).unwrap();
    let stage = platform.start_stage(config);
    eventually("the stage is ready", || async {
        stage.status.ready().is_ok()
    })
    .await;
    // A file takes the place of the table's folder.
    let (table, aside) = (lake.join("clean"), lake.join("aside"));
    std::fs::rename(&table, &aside).unwrap();
    std::fs::write(&table, "").unwrap();
    platform.produce("crypto-raw", 0, &market(5)).await;
    eventually("the stage reports the lake", || async {
        let problem = stage.status.ready().err().unwrap_or_default();
        problem.starts_with("lake/0: ")
    })
    .await;
    stage.status.alive().unwrap();
    let partition = stage.status.partition(0);
    let oldest_row_ms = || partition.oldest_row_ms.load(Ordering::Acquire);
    assert!(oldest_row_ms() > 0);
    std::fs::remove_file(&table).unwrap();
    std::fs::rename(&aside, &table).unwrap();
    eventually(
        "the stage is ready again, with every row committed",
        || async { stage.status.ready().is_ok() && oldest_row_ms() == 0 },
    )
    .await;
    stage.stops().await.unwrap();
}
