//! Every input lands as a row and a record, and commits are made at their limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::config::Partitions;
use fluvio::metadata::smartmodule::{SmartModuleMetadata, SmartModuleSpec};
use parquet_sink::StageConfig;
use serde_json::Value;

use crate::support::*;

async fn platform(minutes: i64) -> Platform {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(minutes)).await;
    platform
}

fn json(value: &[u8]) -> Value {
    serde_json::from_slice(value).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_raw_record_is_clean_or_rejected_and_lake_and_topic_agree() {
    let platform = platform(150).await;
    platform.run_to_end(platform.config("a", RAW)).await;
    platform.run_to_end(platform.config("a", CLEAN)).await;
    let raw = platform.rows("a", "raw").await;
    assert_eq!(raw.len() as i64, platform.end("crypto-raw", 0).await);
    let lineage = format!(" | {} | 0 | 0", platform.name("crypto-raw"));
    assert!(
        raw[0].starts_with("bitcoin | ") && raw[0].ends_with(&lineage),
        "{}",
        raw[0]
    );
    let landed = platform.landed("a", &CLEAN_MADE).await;
    let (clean, rejected) = (&landed.layers["clean"], &landed.layers["rejected"]);
    assert_eq!(clean.len() + rejected.len(), raw.len());
    assert_eq!(clean.len(), 450);
    for (layer, topic) in [
        ("clean", "crypto-clean/0"),
        ("rejected", "crypto-rejected/0"),
    ] {
        let offset = |row: &String| row.rsplit(" | ").next().unwrap().parse::<i64>().unwrap();
        let in_layer: Vec<i64> = landed.layers[layer].iter().map(offset).collect();
        let in_topic: Vec<i64> = landed.topics[topic].iter().map(|(from, _)| *from).collect();
        assert_eq!(in_layer, in_topic, "{layer}");
    }
    let (_, last) = landed.topics["crypto-clean/0"].last().unwrap();
    assert_eq!(json(last)["coin"], "tether");
    assert_eq!(json(last)["status"], "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_stage_without_new_inputs_reports_its_position() {
    let platform = platform(30).await;
    for text in [RAW, CLEAN] {
        platform.run_to_end(platform.config("a", text)).await;
        platform.run_to_end(platform.config("a", text)).await;
    }
}

/// `fluvio consumer list` also shows the last commit of a stage that has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_stage_has_reported_its_progress() {
    let platform = platform(30).await;
    let config = platform.config("a", RAW);
    let (consumer, topic) = (config.meta.name.clone(), config.meta.topic.name.clone());
    platform.run_to_end(config).await;
    let client = platform.client().await;
    let stored = consumer_offset::stored(&client, &consumer, &topic)
        .await
        .unwrap();
    let last = platform.end("crypto-raw", 0).await - 1;
    assert_eq!(stored, BTreeMap::from([(0, last)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_stages_ends_in_alerts() {
    let platform = platform(150).await;
    platform
        .module("crypto-features", "crypto-features", b"")
        .await;
    platform
        .module("crypto-anomaly", "crypto-anomaly", b"")
        .await;
    let chained = |text: &str, from: &str| {
        let mut config = platform.config("a", text);
        config.meta.topic.name = platform.name(from);
        config
    };
    platform.run_to_end(chained(CLEAN, "crypto-raw")).await;
    platform
        .run_to_end(chained(FEATURES, "crypto-clean-a"))
        .await;
    platform
        .run_to_end(chained(ALERTS, "crypto-features-a"))
        .await;
    let features = platform.rows("a", "features").await;
    assert_eq!(features.len(), 450);
    let alerts = platform.rows("a", "alerts").await;
    assert!(!alerts.is_empty());
    assert_eq!(
        alerts.len(),
        platform.derived("crypto-alerts-a", 0).await.len()
    );
    assert!(alerts[0].contains("price_spike"), "{}", alerts[0]);
}

/// The date and rows of each file of a table.
async fn files(platform: &Platform, table: &str) -> Vec<(Option<String>, u64)> {
    let snapshot = platform.lake("a").table(table).snapshot().await.unwrap();
    let snapshot = snapshot.expect("the table was created at the start");
    let files = snapshot.files().iter();
    files.map(|file| (file.date.clone(), file.rows)).collect()
}

/// The rows of each file of a table.
async fn file_rows(platform: &Platform, table: &str) -> Vec<u64> {
    let files = files(platform, table).await;
    files.into_iter().map(|(_, rows)| rows).collect()
}

fn raw_config(platform: &Platform, change: impl FnOnce(&mut StageConfig)) -> StageConfig {
    let mut config = platform.config("a", RAW);
    change(&mut config);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn rolls_on_rows() {
    let platform = platform(100).await;
    let inputs = platform.end("crypto-raw", 0).await;
    platform
        .run_to_end(raw_config(&platform, |config| {
            config.settings.limits.rows_max = 100
        }))
        .await;
    let rows = file_rows(&platform, "raw").await;
    assert!(
        rows.len() >= 2 && rows.iter().sum::<u64>() as i64 == inputs,
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rolls_on_size() {
    let platform = platform(20_000).await;
    let config = raw_config(&platform, |config| {
        config.settings.limits.bytes_max = ByteSize::kib(256)
    });
    platform.run_to_end(config).await;
    let rows = file_rows(&platform, "raw").await;
    assert!(rows.len() >= 2, "{rows:?}");
    assert_eq!(
        rows.iter().sum::<u64>() as i64,
        platform.end("crypto-raw", 0).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rolls_on_age_without_another_record() {
    let platform = platform(10).await;
    let inputs = platform.end("crypto-raw", 0).await;
    let config = raw_config(&platform, |config| {
        config.settings.limits.interval = Duration::from_millis(200);
    });
    let stage = platform.start_stage(config);
    eventually(
        "the rows are committed although no record comes",
        || async {
            let stamps = platform.stamps("a", "raw");
            stamps
                .last()
                .is_some_and(|stamp| stamp.last_offset == inputs - 1)
        },
    )
    .await;
    stage.stops().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_two_dates_are_one_commit_of_two_files() {
    let platform = platform(150).await;
    platform.run_to_end(platform.config("a", CLEAN)).await;
    let expected = [("2025-06-01", 360), ("2025-06-02", 90)];
    let expected = expected.map(|(date, rows)| (Some(date.to_owned()), rows));
    assert_eq!(files(&platform, "clean").await, expected);
    assert_eq!(platform.stamps("a", "clean").len(), 1);
    for row in platform.rows("a", "clean").await {
        let values: Vec<&str> = row.split(" | ").collect();
        let event_time: i64 = values[3].parse().unwrap();
        let date = jiff::Timestamp::from_millisecond(event_time).unwrap();
        let of_file = values[values.len() - 4];
        assert_eq!(date.strftime("%Y-%m-%d").to_string(), of_file, "{row}");
    }
}

/// Rows whose dates go back and forth, and rows without one.
#[tokio::test(flavor = "multi_thread")]
async fn rows_go_to_the_files_of_their_dates_in_any_order() {
    let platform = Platform::start().await;
    platform.topic("trades", 1).await;
    let config = platform.config(
        "a",
        "
apiVersion: 0.1.0
meta: { name: trades, type: parquet-sink, version: 0.1.0, topic: trades }
parquet:
  lake: lake
  destinations:
    - layer:
        name: trades
        date: at
        columns:
          - { name: at, type: timestamp }
",
    );
    let days = [Some(5), Some(3), None, Some(5), Some(4), None, Some(3)];
    let trade = |day: &Option<i64>| match day {
        Some(day) => outgoing("a", &format!(r#"{{"at":{}}}"#, day * 86_400_000 + 1)),
        None => outgoing("a", r#"{"at":null}"#),
    };
    let trades: Vec<_> = days.iter().map(trade).collect();
    platform.produce("trades", 0, &trades).await;
    platform.run_to_end(config).await;
    let mut expected = [
        (None, 2),
        (Some("1970-01-04"), 2),
        (Some("1970-01-05"), 1),
        (Some("1970-01-06"), 2),
    ]
    .map(|(date, rows)| (date.map(str::to_owned), rows));
    let mut found = files(&platform, "trades").await;
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let rows = platform.rows("a", "trades").await;
    for ((offset, row), day) in rows.iter().enumerate().zip(days) {
        let (at, date) = match day {
            Some(day) => (
                (day * 86_400_000 + 1).to_string(),
                format!("1970-01-0{}", day + 1),
            ),
            None => ("null".to_owned(), "null".to_owned()),
        };
        let topic = platform.name("trades");
        assert_eq!(*row, format!("{at} | {date} | {topic} | 0 | {offset}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_nothing_without_rows() {
    let platform = platform(10).await;
    platform
        .module("crypto-anomaly", "crypto-anomaly", b"")
        .await;
    // Raw ticks are not features, so the module has no result for any of them.
    let mut config = platform.config("a", ALERTS);
    config.meta.topic.name = platform.name("crypto-raw");
    config.settings.limits.interval = Duration::from_millis(1);
    platform.run_to_end(config).await;
    assert_eq!(files(&platform, "alerts").await, []);
    assert!(platform.stamps("a", "alerts").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_progress_without_rows_after_100_000_inputs() {
    let platform = Platform::start().await;
    platform
        .module("crypto-anomaly", "crypto-anomaly", b"")
        .await;
    platform.topic("crypto-raw", 1).await;
    let records: Vec<_> = (0..101_000).map(|_| outgoing("a", "{}")).collect();
    platform.produce("crypto-raw", 0, &records).await;
    let mut config = platform.config("a", ALERTS);
    config.meta.topic.name = platform.name("crypto-raw");
    platform.run_to_end(config).await;
    assert_eq!(files(&platform, "alerts").await, []);
    let stamps = platform.stamps("a", "alerts");
    assert_eq!(stamps.len(), 1);
    assert!(stamps[0].last_offset >= 99_999, "{stamps:?}");
    assert_eq!(stamps[0].resume_offset, stamps[0].last_offset + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_landed_side_by_side() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 3).await;
    for partition in 0..3 {
        platform
            .produce("crypto-raw", partition, &market(40 + i64::from(partition)))
            .await;
    }
    platform.run_to_end(platform.config("a", CLEAN)).await;
    let made = Made {
        partitions: 3,
        ..CLEAN_MADE
    };
    let landed = platform.landed("a", &made).await;
    for partition in 0..3 {
        let expected = 3 * (40 + partition);
        assert_eq!(
            landed.topics[&format!("crypto-clean/{partition}")].len(),
            expected
        );
    }
    assert_eq!(landed.layers["clean"].len(), 3 * (40 + 41 + 42));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_with_shares_land_what_one_process_lands() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 3).await;
    for partition in 0..3 {
        let ticks = market(40 + i64::from(partition));
        platform.produce("crypto-raw", partition, &ticks).await;
    }
    let made = Made {
        partitions: 3,
        ..CLEAN_MADE
    };
    platform.run_to_end(platform.config("one", CLEAN)).await;
    let golden = platform.landed("one", &made).await;

    let copy = |share: &str| {
        let mut config = platform.config("shared", CLEAN);
        config.settings.share = share.parse().unwrap();
        platform.start_stage(config)
    };
    // Two copies for three partitions: 0 and 2 for one, 1 for the other.
    let (first, second) = (copy("0/2"), copy("1/2"));
    let inputs = |partition| platform.end("crypto-raw", partition);
    first.handles(inputs(0).await + inputs(2).await).await;
    second.handles(inputs(1).await).await;
    first.stops().await.unwrap();
    second.stops().await.unwrap();
    assert_same(&platform.landed("shared", &made).await, &golden, "shared");

    let idle = copy("3/4").ends().await.unwrap_err().to_string();
    assert!(idle.contains("run at most 3 copies"), "{idle}");
    let mut config = platform.config("shared", CLEAN);
    config.settings.share = "0/2".parse().unwrap();
    config.meta.consumer.partition = Partitions::One(1);
    let idle = platform.start_stage(config).ends().await;
    let idle = idle.unwrap_err().to_string();
    assert!(
        idle.contains("none of the partitions") && idle.contains("meta.consumer.partition"),
        "{idle}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_does_not_fit_stops_the_stage_after_landing_what_came_before() {
    let platform = Platform::start().await;
    platform.topic("prices", 1).await;
    let good = |price: i64| outgoing("a", &format!(r#"{{"at": 1, "price": {price}}}"#));
    let bad = outgoing("a", r#"{"at": 1, "price": "high"}"#);
    platform
        .produce("prices", 0, &[good(1), good(2), bad, good(3)])
        .await;
    let config = platform.config(
        "a",
        "
apiVersion: 0.1.0
meta: { name: prices, type: parquet-sink, version: 0.1.0, topic: prices }
parquet:
  lake: lake
  destinations:
    - layer:
        name: prices
        date: at
        columns:
          - { name: at, type: timestamp }
          - { name: price, type: float64 }
",
    );
    let error = platform
        .start_stage(config)
        .ends()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/0: the output made from input 2 does not fit"),
        "{error}"
    );
    assert!(
        error.contains("table prices: column `price`: expected a number, found a string"),
        "{error}"
    );
    assert_eq!(platform.rows("a", "prices").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_an_output_for_every_input_is_refused() {
    let platform = platform(40).await;
    let mut config = platform.config("a", CLEAN);
    config.transforms[0].with.remove("emit");
    let error = platform
        .start_stage(config)
        .ends()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("set its parameter `emit` to `all`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_derived_topic_is_landed_without_duplicates() {
    let platform = Platform::start().await;
    platform.topic("derived", 1).await;
    // Each is of a later day than the one before.
    let made_from = |source: i64| {
        let at = source * 86_400_000;
        outgoing("a", &format!(r#"{{"source_offset":{source},"at":{at}}}"#))
    };
    let config = || {
        platform.config(
            "a",
            "
apiVersion: 0.1.0
meta: { name: derived, type: parquet-sink, version: 0.1.0, topic: derived }
parquet:
  lake: lake
  derived: true
  destinations:
    - layer:
        name: derived
        date: at
        columns:
          - { name: at, type: timestamp }
",
        )
    };
    platform
        .produce("derived", 0, &[0, 1, 2, 1, 2, 3].map(made_from))
        .await;
    platform.run_to_end(config()).await;
    // A restart remembers the greatest source offset.
    platform
        .produce("derived", 0, &[2, 3, 4].map(made_from))
        .await;
    platform.run_to_end(config()).await;
    let rows = platform.rows("a", "derived").await;
    let days = rows.iter().map(|row| {
        let (at, _) = row.split_once(" | ").unwrap();
        at.parse::<i64>().unwrap() / 86_400_000
    });
    assert_eq!(days.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_module_drops_duplicates() {
    let platform = Platform::start().await;
    platform
        .module("crypto-anomaly", "crypto-anomaly", b"")
        .await;
    platform.topic("crypto-features", 1).await;
    let alarming = |source: i64| {
        let row = format!(
            r#"{{"source_offset":{source},"status":"features","coin":"bitcoin","symbol":"btc","event_time":{},"price":1.5,"zscore_15m":9.0,"move_15m":0.05}}"#,
            source * 60_000
        );
        outgoing("bitcoin", &row)
    };
    // The first run commits between the duplicates; the second resumes there.
    for sources in [&[0, 1, 2, 3, 1][..], &[2, 3, 4]] {
        let records: Vec<_> = sources.iter().copied().map(alarming).collect();
        platform.produce("crypto-features", 0, &records).await;
        platform.run_to_end(platform.config("a", ALERTS)).await;
    }
    let rows = platform.rows("a", "alerts").await;
    let ids: Vec<_> = rows
        .iter()
        .filter_map(|row| row.split(" | ").nth(1))
        .collect();
    let expected = [0, 1, 2, 3, 4].map(|source| format!("bitcoin:{}", source * 60_000));
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_module_is_named() {
    let platform = platform(1).await;
    let mut config = platform.config("a", CLEAN);
    config.transforms[0].uses = "crypto-klean".to_owned();
    let error = platform
        .start_stage(config)
        .ends()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("`crypto-klean` does not exist"), "{error}");
}

/// `smdk load` creates a module with a package, `fluvio smartmodule create` without one.
#[tokio::test(flavor = "multi_thread")]
async fn a_module_in_a_package_is_found_and_an_ambiguous_name_is_refused() {
    let platform = platform(40).await;
    let client = platform.client().await;
    let admin = client.admin().await;
    let plain = platform.name("crypto-clean");
    let modules = admin.list::<SmartModuleSpec, _>(vec![plain]).await.unwrap();
    let plain = modules.into_iter().next().unwrap();
    let metadata = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../smartmodules/crypto-clean/SmartModule.toml");
    let mut metadata = SmartModuleMetadata::from_toml(metadata).unwrap();
    metadata.package.name = plain.name.clone();
    let package = SmartModuleSpec {
        meta: Some(metadata),
        ..plain.spec
    };
    let name = plain.name;
    admin.create(name.clone(), false, package).await.unwrap();
    let config = || platform.config("a", CLEAN);
    let error = platform.start_stage(config()).ends().await.unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(&format!("`{name}` may be"))
            && error.contains(&format!("coinlake/{name}@0.1.0")),
        "{error}"
    );
    admin.delete::<SmartModuleSpec>(name).await.unwrap();
    platform.run_to_end(config()).await;
    assert_eq!(platform.rows("a", "clean").await.len(), 120);
}
