//! How many requests to the store a commit and a health check make: S3 bills by the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_schema::{DataType, Field, Schema};
use fixtures::process::coinlake;
use lake::{AppId, CommitStamp, TableSpec, Transaction};
use market::names::layer;
use parquet_sink::StageConfig;
use parquet_sink::config::Share;

use secrecy::ExposeSecret;

use super::in_process::Store;
use super::prepared;

use crate::support::*;

const PARTITIONS: u32 = 3;
/// Past one checkpoint.
const ENTRIES: i64 = 150;

/// Lands a market of three partitions with as many stages as said. Returns the average of requests for an entry of the tables' logs:
/// opening and stopping are included, the entries that create tables are not counted.
async fn requests_an_entry(processes: u32) -> f64 {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", PARTITIONS).await;
    for partition in 0..PARTITIONS {
        platform
            .produce("crypto-raw", partition, &market(200))
            .await;
    }
    let store = Store::new(&platform.data.path().join("s3"));
    let place = store.serve().await;
    let config = |share: Share| {
        let mut config: StageConfig = platform.config("s3", CLEAN);
        place.set(&mut config);
        config.settings.limits.rows_max = 20;
        config.settings.share = share;
        config
    };
    let shares = (0..processes).map(|number| format!("{number}/{processes}").parse().unwrap());
    let stages: Vec<RunningStage> = shares
        .map(|share| platform.start_stage(config(share)))
        .collect();
    let inputs = platform.inputs(&config(Share::default())).await / i64::from(processes);
    for stage in &stages {
        stage.handles(inputs).await;
    }
    for stage in stages {
        stage.stops().await.unwrap();
    }
    let requests = store.requests.load(Ordering::Relaxed);
    let mut entries = 0;
    for table in CLEAN_MADE.layers {
        let summary = place.open().table(table).summary().await.unwrap().unwrap();
        entries += summary.version;
    }
    let each = requests as f64 / entries as f64;
    println!("{processes} processes: {requests} requests for {entries} entries, {each:.2} each");
    each
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_one_process_takes_three_requests_on_average() {
    assert!(requests_an_entry(1).await <= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_one_of_three_processes_takes_six_requests_on_average() {
    assert!(requests_an_entry(PARTITIONS).await <= 6.0);
}

/// Also when the tables have more entries than one checkpoint covers.
#[tokio::test(flavor = "multi_thread")]
async fn health_takes_thirty_requests_at_most() {
    let platform = prepared(Platform::embedded().await).await;
    let store = Store::new(&platform.data.path().join("s3"));
    let place = store.serve().await;
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let spec = TableSpec::new(&schema, "", Vec::new()).unwrap();
    for name in layer::ALL {
        let table = place.open().table(name);
        let writer = table.writer(&spec).await.unwrap();
        for last_offset in 0..ENTRIES {
            let app = AppId {
                stage: "stage-clean".to_owned(),
                topic: "crypto-raw".to_owned(),
                partition: 0,
            };
            let stamp = CommitStamp {
                last_offset,
                ..CommitStamp::new(app, "a test")
            };
            let mut transaction = Transaction::append(stamp, Vec::new());
            writer.commit(&mut transaction).await.unwrap();
        }
    }
    let before = store.requests.load(Ordering::Relaxed);
    let mut health = coinlake(&["health", "--json", "--lake", &place.lake, "--cluster"]);
    health.arg(platform.broker_addr().to_string());
    health.current_dir(platform.data.path());
    for (name, value) in &place.options {
        health.env(name.to_uppercase(), value.expose_secret());
    }
    let output = tokio::task::spawn_blocking(move || health.output().unwrap());
    let output = output.await.unwrap();
    let requests = store.requests.load(Ordering::Relaxed) - before;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("health: {requests} requests; {report}");
    let tables = report["lake"].as_array().unwrap();
    assert_eq!(tables.len(), layer::ALL.len());
    let committed = report["stages"].as_array().unwrap().iter();
    let mut committed = committed.filter_map(|stage| stage["committed_offset"].as_i64());
    assert!(committed.any(|offset| offset == ENTRIES - 1), "{report}");
    assert!(requests <= 30, "{requests}");
}
