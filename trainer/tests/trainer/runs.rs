//! Runs: what MLflow's own client reads back is what was given.

use std::collections::BTreeMap;

use fixtures::mlflow::{Server, server};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trainer::tracking::{Beginning, LocalTracking, RunStatus, Tracking, publish};
use trainer::{Artifact, Metric, Run, TrainedModel};

use crate::client::{client_of, python};

const STARTED_MS: i64 = 1_748_736_000_123;
const ENDED_MS: i64 = 1_748_736_042_456;

pub(crate) fn beginning(experiment: &str) -> Beginning {
    Beginning {
        experiment: experiment.to_owned(),
        name: "a run".to_owned(),
        started_ms: STARTED_MS,
        tags: BTreeMap::from([("mlflow.user".to_owned(), "somebody".to_owned())]),
    }
}

/// A run that needs several requests for everything, with what is awkward in names and values.
pub(crate) fn given(model: &str) -> Run {
    let many = |n: usize| (0..n).map(|i| (format!("many_{i:03}"), format!("value {i}")));
    let mut params: BTreeMap<String, String> = many(230).collect();
    params.insert("forest.trees".to_owned(), "100".to_owned());
    params.insert("empty".to_owned(), String::new());
    params.insert("long".to_owned(), "é\n\"\\".repeat(120));
    let mut tags: BTreeMap<String, String> = many(130).collect();
    tags.insert("rows".to_owned(), "155600".to_owned());
    let mut metrics: Vec<Metric> = (0..2_345)
        .map(|step| Metric {
            name: "series".to_owned(),
            value: f64::from(step).sqrt() / 3.0,
            step: i64::from(step),
        })
        .collect();
    for (name, value) in [
        ("anomaly_ahead.test.auc_roc", 0.1 + 0.2),
        ("tiny", 5e-324),
        ("negative", -1e300),
    ] {
        let name = name.to_owned();
        metrics.push(Metric {
            name,
            value,
            step: 0,
        });
    }
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"
        .as_bytes()
        .to_vec();
    let all_bytes = (0..=255_u8).cycle().take(600_000).collect();
    let file = |path: &str, bytes| Artifact {
        path: path.to_owned(),
        bytes,
    };
    Run {
        params,
        metrics,
        tags,
        artifacts: vec![
            file("pictures/anomaly_ahead/roc.svg", picture),
            file("card.md", "# A card\n".as_bytes().to_vec()),
            file("a name with spaces & 100 %.txt", Vec::new()),
        ],
        models: vec![TrainedModel {
            name: model.to_owned(),
            bytes: all_bytes,
            metrics: BTreeMap::from([("auc_roc".to_owned(), 0.625)]),
        }],
    }
}

fn read_back(server: &Server, run: &str) -> Value {
    serde_json::from_str(&python(server, "read_run.py", &[run])).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What MLflow's client must say of it.
fn expected(experiment: &str, given: &Run, more_tags: &[(&str, &str)]) -> Value {
    let mut metrics = BTreeMap::<&str, Vec<Value>>::new();
    for metric in &given.metrics {
        let points = metrics.entry(&metric.name).or_default();
        points.push(json!([metric.step, metric.value, ENDED_MS]));
    }
    let mut files: BTreeMap<String, String> = given
        .artifacts
        .iter()
        .map(|file| (file.path.clone(), sha256(&file.bytes)))
        .collect();
    for model in &given.models {
        files.insert(
            format!("models/{}/model.bin", model.name),
            sha256(&model.bytes),
        );
    }
    let mut tags = given.tags.clone();
    tags.insert("mlflow.user".to_owned(), "somebody".to_owned());
    let more = more_tags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    tags.extend(more);
    json!({
        "experiment": experiment,
        "name": "a run",
        "status": "FINISHED",
        "started_ms": STARTED_MS,
        "ended_ms": ENDED_MS,
        "params": given.params,
        "tags": tags,
        "metrics": metrics,
        "files": files,
    })
}

#[tokio::test]
async fn mlflow_reads_back_what_was_given() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    let given = given("read_back");
    let run = tracking.start(&beginning("read back")).await.unwrap();
    let record = tracking.run(&run.id).await.unwrap();
    assert_eq!((record.status, record.ended_ms), (RunStatus::Running, None));

    // Finishing again, as after a lost reply, changes nothing.
    tracking.finish(&run, ENDED_MS, &given).await.unwrap();
    tracking.finish(&run, ENDED_MS, &given).await.unwrap();
    let found = read_back(server, &run.id);
    let expected = expected("read back", &given, &[]);
    for key in ["params", "tags", "metrics", "files"] {
        assert_eq!(found[key], expected[key], "{key}");
    }
    assert_eq!(found, expected);

    // And so does our own client.
    let record = tracking.run(&run.id).await.unwrap();
    assert_eq!(record.params, given.params);
    assert_eq!(record.metrics["anomaly_ahead.test.auc_roc"], 0.1 + 0.2);
    assert_eq!(record.metrics["series"], given.metrics[2_344].value);
    let listed = tracking.runs("read back", 5).await.unwrap();
    assert_eq!(listed, [record]);
    for file in &given.artifacts {
        assert_eq!(
            tracking.file(&run.id, &file.path).await.unwrap(),
            file.bytes
        );
    }
}

#[tokio::test]
async fn a_run_that_failed_says_why() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    let run = tracking.start(&beginning("failures")).await.unwrap();
    let reason = "too few rows";
    tracking
        .abandon(&run, ENDED_MS, RunStatus::Failed, reason)
        .await
        .unwrap();
    let found = read_back(server, &run.id);
    assert_eq!(found["status"], "FAILED");
    assert_eq!(found["tags"]["failure"], reason);
}

#[tokio::test]
async fn runs_come_page_by_page_and_newest_first() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    for offset in 0..105 {
        let mut beginning = beginning("pages");
        beginning.started_ms += offset;
        tracking.start(&beginning).await.unwrap();
    }
    let runs = tracking.runs("pages", 103).await.unwrap();
    let started: Vec<i64> = runs.iter().map(|run| run.started_ms - STARTED_MS).collect();
    assert_eq!(started, (2..105).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_local_run_is_published_once() {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let local = LocalTracking::new(folder.path());
    let given = given("published");
    let local_run = local.start(&beginning("published")).await.unwrap();
    local.finish(&local_run, ENDED_MS, &given).await.unwrap();

    let tracking = client_of(server);
    let first = publish(&local, &local_run.id, None, &tracking)
        .await
        .unwrap();
    assert!(!first.known);
    let expected = expected(
        "published",
        &given,
        &[("coinlake.local_run", &local_run.id)],
    );
    assert_eq!(read_back(server, &first.run), expected);

    let second = publish(&local, &local_run.id, None, &tracking)
        .await
        .unwrap();
    assert!(second.known);
    assert_eq!(second.run, first.run);
    let versions = tracking.versions("published").await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].aliases, ["staging"]);
    assert_eq!(
        tracking.model(&versions[0]).await.unwrap(),
        given.models[0].bytes
    );
}
