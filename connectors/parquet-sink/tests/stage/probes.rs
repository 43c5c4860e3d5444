//! What a stage says to probes is true.

use connector_runtime::monitor::Observed;

use crate::support::{CLEAN, Platform, eventually, market};

#[tokio::test(flavor = "multi_thread")]
async fn ready_while_the_broker_is_there_and_alive_throughout() {
    let mut platform = Platform::embedded().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(5)).await;
    let stage = platform.start_stage(platform.config("probes", CLEAN));
    assert!(stage.status.ready().is_err(), "not before it has begun");
    eventually("the stage is ready", || async {
        stage.status.ready().is_ok()
    })
    .await;
    platform
        .restart_broker_after(async || {
            eventually("the stage notices", || async {
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
async fn not_ready_while_the_lake_refuses() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    let mut config = platform.config("refused", CLEAN);
    config.settings.limits.interval = std::time::Duration::from_millis(50);
    // Where the layer's folder belongs lies a file.
    let lake = platform.lake_path("refused");
    std::fs::create_dir_all(&lake).unwrap();
    let stage = platform.start_stage(config);
    eventually("the stage is ready", || async {
        stage.status.ready().is_ok()
    })
    .await;
    std::fs::write(lake.join("clean"), "").unwrap();
    platform.produce("crypto-raw", 0, &market(5)).await;
    eventually("the stage says so", || async {
        let said = stage.status.ready().err().unwrap_or_default();
        said.starts_with("lake/0: ")
    })
    .await;
    stage.status.alive().unwrap();
    std::fs::remove_file(lake.join("clean")).unwrap();
    eventually("the stage is ready again", || async {
        stage.status.ready().is_ok()
    })
    .await;
    stage.stops().await.unwrap();
}
