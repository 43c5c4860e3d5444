//! The demo as a user runs it: the finished command, a data directory, and what it leaves there.

use std::path::Path;

use fixtures::broker::TestBroker;
use fixtures::process::{self, coinlake, succeeded};
use fixtures::recording::recording;
use fixtures::{smartmodules, topic};
use market::FEATURES_VERSION;
use market::model::{INPUTS, Logistic, ModelInfo, ModelPair, TREND_UP, slot};
use replay::{InjectedKind, Quality, SyntheticMarket};
use serde_json::Value;

use crate::rows;

/// The demo's summary on `data`, with more arguments.
fn demo(data: &Path, arguments: &[&str]) -> Value {
    let mut demo = coinlake(&["demo", "--exit", "--json", "--data"]);
    let output = demo.arg(data).args(arguments).output().unwrap();
    let printed = succeeded(&output);
    serde_json::from_str(&printed).expect("stdout holds one JSON object and nothing else")
}

fn count(summary: &Value, layer: &str) -> u64 {
    summary["records"][layer].as_u64().unwrap()
}

/// Runs a script of tests/python, where Python has what it imports.
pub(crate) fn python(script: &str, arguments: &[&Path]) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let modules = "deltalake, pandas, pyarrow";
    let _skipped = fixtures::python::run(&scripts.join(script), modules, arguments);
}

#[test]
fn the_recording_goes_through_whole() {
    let Some(recording) = recording() else { return };
    let path = recording.to_str().unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let summary = demo(first.path(), &["--recording", path, "--speed", "max"]);
    println!("{summary}");
    assert_eq!(count(&summary, "raw"), 194_607);
    assert_eq!(
        count(&summary, "clean") + count(&summary, "rejected"),
        194_607
    );
    assert_eq!(count(&summary, "features"), count(&summary, "clean"));
    assert!(count(&summary, "alerts") > 0);

    let lake = first.path().join("lake");
    python("features.py", &[&lake, &recording]);

    // The same command gives the same rows.
    demo(second.path(), &["--recording", path, "--speed", "max"]);
    rows::assert_equal(
        "lake",
        &rows::lake(first.path()),
        &rows::lake(second.path()),
    );
}

#[test]
fn alerts_find_what_was_injected() {
    let data = tempfile::tempdir().unwrap();
    let summary = demo(data.path(), &[]);
    let market = SyntheticMarket::default();
    assert_eq!(count(&summary, "raw"), market.records_total());
    assert_eq!(
        count(&summary, "clean") + count(&summary, "rejected"),
        count(&summary, "raw")
    );

    // Every bad payload is rejected, for the reason it was made for.
    let mut injected = std::collections::BTreeMap::<String, u64>::new();
    for event in market.truth() {
        if let InjectedKind::Bad(reason) = event.kind {
            *injected.entry(reason.as_str().to_owned()).or_default() += 1;
        }
    }
    assert_eq!(
        summary["rejected_by_reason"],
        serde_json::to_value(&injected).unwrap()
    );

    let alerts = rows::layer_rows(data.path(), "alerts");
    let alerts = alerts.iter().map(|row| {
        let time: i64 = row["event_time"].as_str().unwrap().parse().unwrap();
        (row["coin"].as_str().unwrap(), time)
    });
    let quality = Quality::measure(market.truth(), alerts);
    println!(
        "precision {:.3}, recall {:.3}: {quality:?}",
        quality.precision(),
        quality.recall()
    );
    assert!(quality.precision() >= 0.9 && quality.recall() >= 0.9);

    // Features on hostile input: late ticks, duplicates and ties are among it.
    python("features.py", &[&data.path().join("lake")]);
}

/// A model that follows the last minute.
fn a_model(version: u32) -> ModelPair {
    let info = ModelInfo {
        name: TREND_UP.to_owned(),
        version,
        run: "a-run".to_owned(),
        features_version: FEATURES_VERSION,
        fill: [0.0; INPUTS.len()],
        trained_from_ms: 0,
        trained_to_ms: 1,
        rows: 1,
        threshold: 0.5,
    };
    let (zeros, ones) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
    let mut weights = zeros;
    weights[0] = 100.0;
    ModelPair {
        anomaly: None,
        trend: Some(Logistic::new(info, zeros, ones, weights, 0.0).unwrap()),
    }
}

/// Puts a model into the broker of `data`, which no other broker may have open.
async fn promote(data: &Path, pair: &ModelPair) {
    let wasm = slot::fill(&smartmodules::wasm("crypto-predict"), pair).unwrap();
    let mut broker = TestBroker::on(data.join("broker")).await;
    topic::create_smartmodule(broker.client(), "crypto-predict", &wasm).await;
    broker.stop().await;
}

#[tokio::test]
async fn a_promoted_model_predicts_and_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let summary = demo(data.path(), &[]);
    assert_eq!(count(&summary, "predictions"), 0, "no model is promoted");

    // What was drained without a model stays without predictions.
    let data = tempfile::tempdir().unwrap();
    let note = r#"{"layout": 1, "market": "the synthetic market"}"#;
    std::fs::write(data.path().join("coinlake.json"), note).unwrap();
    promote(data.path(), &a_model(7)).await;
    for _ in 0..2 {
        // Each start deploys the shipped module again, with the model that serves.
        let summary = demo(data.path(), &[]);
        println!("{summary}");
        assert_eq!(count(&summary, "predictions"), count(&summary, "features"));
        let rows = rows::layer_rows(data.path(), "predictions");
        assert_eq!(rows.len() as u64, count(&summary, "predictions"));
        assert!(rows.iter().all(|row| row["trend_model"] == "trend_up/7"));
        assert!(rows.iter().all(|row| row["anomaly_model"] == "null"));
    }
}

/// Runs a command that must fail; returns what it says.
fn refused(arguments: &[&str]) -> String {
    process::refused(&coinlake(arguments).output().unwrap())
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = refused(&["demo", "--exit", "--data", file.to_str().unwrap()]);
    assert!(said.contains("cannot be used"), "{said}");
}

#[test]
fn a_data_directory_keeps_to_its_market() {
    let Some(recording) = recording() else { return };
    let data = tempfile::tempdir().unwrap();
    let note = r#"{"layout": 1, "market": "the synthetic market"}"#;
    std::fs::write(data.path().join("coinlake.json"), note).unwrap();
    let data = data.path().to_str().unwrap();
    let said = refused(&[
        "demo",
        "--exit",
        "--data",
        data,
        "--recording",
        recording.to_str().unwrap(),
    ]);
    assert!(said.contains("holds the synthetic market"), "{said}");
}

#[test]
fn a_recording_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("prices.parquet");
    std::fs::write(&file, "price\n1\n").unwrap();
    let said = refused(&["demo", "--exit", "--recording", file.to_str().unwrap()]);
    assert!(said.contains("prices.parquet"), "{said}");
}
