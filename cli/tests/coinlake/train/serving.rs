//! What is in production serves, and keeps serving whatever happens to the models' files and their server.

use std::fs;

use fixtures::process::Process;
use serde_json::{Value, json};

use super::{Place, model_file};
use crate::observe::process::Running;

/// A demo whose market is drained and whose broker stays.
fn drained(place: &Place) -> Process {
    let demo = Process::start(place.command(&["demo", "--listen", "0", "--console", "0"]));
    demo.line_after("the market is drained; the broker stays");
    demo
}

fn said(demo: &Process) -> String {
    demo.lines().join("\n")
}

#[test]
fn what_is_promoted_serves_and_goes_on_serving() {
    let mut place = Place::here();
    let demo = drained(&place);
    assert_eq!(place.health()["models"], json!([]));
    let run = place.json(&["run"])["run"].as_str().unwrap().to_owned();
    let nowhere = ["--smartmodules", "nowhere"];
    let refused =
        place.refused(&[&["promote", "trend_up", "1", "production"], &nowhere[..]].concat());
    assert!(refused.contains("--smartmodules"), "{refused}");
    assert!(!place.text(&["list"]).contains("by hand"));
    let mut promoted = String::new();
    for name in ["anomaly_ahead", "trend_up"] {
        promoted = place.text(&["promote", name, "1", "production"]);
        assert!(promoted.contains(&format!("{name}/1")), "{promoted}");
    }
    let both = " serves anomaly_ahead/1 and trend_up/1 now";
    assert!(promoted.contains(both), "{promoted}");
    let serving = json!(["anomaly_ahead/1", "trend_up/1"]);
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    assert_eq!(health["mlflow"], Value::Null);
    assert_eq!(health["problems"], json!([]));
    let drift = health["drift"].as_array().unwrap();
    assert_eq!(drift.len(), 2);
    assert!(
        drift[0]["inputs"]["return_1m"]
            .as_f64()
            .is_some_and(|psi| psi >= 0.0)
    );
    assert!(drift[1]["scores"].as_f64().is_some_and(|psi| psi >= 0.0));
    assert_eq!(health["warnings"], json!([]));

    // Without its reference a model serves, and its drift is unknown.
    let artifacts = place
        .data
        .path()
        .join("models")
        .join(&run)
        .join("artifacts");
    fs::remove_file(artifacts.join("drift/reference.json")).unwrap();
    let health = place.health();
    assert_eq!(health["problems"], json!([]));
    let warnings = health["warnings"].to_string();
    assert!(
        ["anomaly_ahead", "trend_up"]
            .iter()
            .all(|model| warnings.contains(&format!("drift is unknown: {model}: run {run}"))),
        "{warnings}"
    );
    drop(demo);

    // A model file that is damaged takes nothing away.
    let file = model_file(place.data.path(), &run);
    fs::write(&file, b"not a model").unwrap();
    let demo = drained(&place);
    assert!(
        said(&demo).contains("trend_up/1") && said(&demo).contains("keeps serving"),
        "{}",
        said(&demo)
    );
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    let problems = health["problems"].to_string();
    assert!(
        problems.contains("trend_up/1 of") && problems.contains("cannot serve"),
        "{problems}"
    );
    drop(demo);

    // A run that is gone, and with it the version that the alias points at.
    fs::remove_dir_all(place.data.path().join("models").join(&run)).unwrap();
    let demo = drained(&place);
    assert!(said(&demo).contains("which is deleted"), "{}", said(&demo));
    assert_eq!(place.health()["models"], serving);
    drop(demo);

    // Nor does a server that is down.
    place.mlflow = Some("http://127.0.0.1:9".to_owned());
    let demo = drained(&place);
    assert!(
        said(&demo).contains("no MLflow server answers"),
        "{}",
        said(&demo)
    );
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    assert_eq!(health["mlflow"]["reachable"], false);
}

/// The process died, or the cluster failed, between promotion and deployment; and the next training finds nothing better.
#[test]
fn the_next_training_deploys_what_an_earlier_one_only_promoted() {
    let place = Place::here();
    let _demo = drained(&place);
    let train = || place.json(&["run", "--margin", "2"]);
    assert_eq!(train()["serving"], Value::Null);
    let registry = place.data.path().join("models/registry.json");
    let mut stored: Value = serde_json::from_slice(&fs::read(&registry).unwrap()).unwrap();
    stored["models"]["trend_up"]["aliases"]["production"] = json!(1);
    fs::write(&registry, stored.to_string()).unwrap();
    assert_eq!(place.health()["models"], json!([]));

    let serving = train()["serving"].to_string();
    assert!(serving.contains(" serves trend_up/1 now"), "{serving}");
    assert_eq!(place.health()["models"], json!(["trend_up/1"]));
    assert_eq!(train()["serving"], Value::Null);
}

#[test]
fn a_model_of_another_market_deserves_a_look() {
    let place = Place::here();
    let _demo = drained(&place);
    // Of three days' market, the first eight hours: an hour of them is without the past that later rows have.
    place.json(&["run", "--to", "2024-01-01T08:00:00Z"]);
    place.text(&["promote", "trend_up", "1", "production"]);
    let health = place.health();
    let warnings = health["warnings"].to_string();
    assert!(
        warnings.contains("trend_up/1 was trained on") && warnings.contains("return_zscore_15m"),
        "{health}"
    );
    assert!(
        !warnings.contains("hour_of_day"),
        "time is no drift: {health}"
    );
    assert_eq!(health["problems"], json!([]), "a warning is no problem");

    // Prometheus gets it from the console.
    let moved = health["drift"][0]["inputs"]["return_zscore_15m"].as_f64();
    let mut console = place.command(&["console", "--listen", "127.0.0.1:0"]);
    console.args(["--metrics-listen", "0"]);
    let gauge = r#"coinlake_model_drift_psi{model="trend_up",of="return_zscore_15m"} "#;
    let reported = Running::start(console).wait_for("the drift", |console| {
        let (_, scrape) = console.get("/metrics")?;
        let line = scrape.lines().find_map(|line| line.strip_prefix(gauge));
        line?.parse::<f64>().ok()
    });
    assert_eq!(Some(reported), moved);
}
