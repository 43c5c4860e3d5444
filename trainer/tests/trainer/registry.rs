//! Versions and aliases, in the server and in a folder alike.

use fixtures::mlflow::server;
use serde_json::Value;
use trainer::Metric;
use trainer::production::{ModelDrift, recorded_drift};
use trainer::tracking::{
    Alias, Beginning, LocalTracking, OpenRun, RunStatus, Tracking, TrackingError,
};

use crate::client::{client_of, python};
use crate::runs::{beginning, given, sha256};

async fn a_run(tracking: &dyn Tracking, model: &str) -> OpenRun {
    let run = tracking.start(&beginning(model)).await.unwrap();
    tracking
        .finish(&run, 1_748_736_100_000, &given(model))
        .await
        .unwrap();
    run
}

/// What holds for both.
async fn versions_and_aliases(tracking: &dyn Tracking, model: &str) {
    assert_eq!(tracking.versions(model).await.unwrap(), []);
    assert_eq!(
        tracking.version_at(model, Alias::Production).await.unwrap(),
        None
    );
    let (one, two) = (a_run(tracking, model).await, a_run(tracking, model).await);
    let first = tracking.register(&one, model).await.unwrap();
    // Again, as after a lost reply.
    let again = tracking.register(&one, model).await.unwrap();
    let second = tracking.register(&two, model).await.unwrap();
    assert_eq!((first.version, again.version, second.version), (1, 1, 2));
    assert_eq!(
        tracking.version_at(model, Alias::Production).await.unwrap(),
        None
    );

    tracking.set_alias(model, Alias::Staging, 2).await.unwrap();
    tracking
        .set_alias(model, Alias::Production, 2)
        .await
        .unwrap();
    tracking
        .set_alias(model, Alias::Production, 1)
        .await
        .unwrap();
    tracking
        .note(&second, "stays in staging: \"no better\"")
        .await
        .unwrap();
    let production = tracking
        .version_at(model, Alias::Production)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((production.version, &production.run), (1, &one.id));
    assert_eq!(production.aliases, ["production"]);
    assert_eq!(
        tracking.model(&production).await.unwrap(),
        given(model).models[0].bytes
    );
    let versions = tracking.versions(model).await.unwrap();
    let numbers: Vec<u32> = versions.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [2, 1]);
    assert_eq!(versions[0].note, "stays in staging: \"no better\"");
    assert_eq!(versions[0].aliases, ["staging"]);

    let unknown = tracking
        .set_alias(model, Alias::Production, 7)
        .await
        .unwrap_err();
    assert!(
        matches!(unknown, TrackingError::UnknownVersion { version: 7, .. }),
        "{unknown}"
    );
    let still = tracking.version_at(model, Alias::Production).await.unwrap();
    assert_eq!(still, Some(production));
}

#[tokio::test]
async fn versions_and_aliases_in_a_server() {
    let Some(server) = server() else { return };
    versions_and_aliases(&client_of(server), "registered").await;
    let found = python(server, "read_model.py", &["registered"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(
        found["aliases"],
        serde_json::json!({"staging": "2", "production": "1"})
    );
    let model = sha256(&given("registered").models[0].bytes);
    for version in ["1", "2"] {
        assert_eq!(found["versions"][version]["status"], "READY");
        assert_eq!(found["versions"][version]["files"]["model.bin"], model);
    }
}

#[tokio::test]
async fn versions_and_aliases_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    versions_and_aliases(&LocalTracking::new(folder.path()), "registered").await;
}

/// What `health` reports for a lake in an object store.
#[tokio::test]
async fn the_newest_training_knows_the_drift_of_models_it_did_not_make() {
    let folder = tempfile::tempdir().unwrap();
    let tracking = LocalTracking::new(folder.path());
    let started = async |number: i64| {
        let beginning = Beginning {
            started_ms: 1_748_736_000_000 + number,
            ..beginning("drift")
        };
        tracking.start(&beginning).await.unwrap()
    };
    let train = async |number: i64, drift: &[(&str, f64)]| {
        let run = started(number).await;
        let mut outcome = given("trend_up");
        let drift = drift.iter().map(|&(name, value)| Metric {
            name: name.to_owned(),
            value,
            step: 0,
        });
        outcome.metrics.extend(drift);
        tracking
            .finish(&run, 1_748_736_100_000, &outcome)
            .await
            .unwrap();
        tracking.register(&run, "trend_up").await.unwrap().version
    };
    let recorded = async || recorded_drift(&tracking, "drift").await.unwrap();
    assert_eq!(recorded().await, []);
    let first = train(1, &[]).await;
    let put_in_production = async |version| {
        tracking
            .set_alias("trend_up", Alias::Production, version)
            .await
            .unwrap();
    };
    put_in_production(first).await;
    assert_eq!(recorded().await, []);
    let unmeasured = train(2, &[]).await;

    let drift = [
        ("trend_up/production_version", f64::from(first)),
        ("trend_up/production_drift/scores", 0.5),
        ("trend_up/production_drift/return_1m", 0.125),
        ("trend_up/drift/return_1m", 7.0),
        ("anomaly_ahead/production_drift/return_1m", 8.0),
    ];
    let third = train(3, &drift).await;
    let drift = [ModelDrift {
        model: "trend_up".to_owned(),
        version: first,
        scores: Some(0.5),
        inputs: [("return_1m".to_owned(), 0.125)].into(),
    }];
    assert_eq!(recorded().await, drift);
    // A run that failed measured nothing.
    let failed = started(4).await;
    tracking
        .abandon(&failed, 1_748_736_200_000, RunStatus::Failed, "no rows")
        .await
        .unwrap();
    assert_eq!(recorded().await, drift);
    // Neither the newest training's own model nor one that came into production since was measured.
    for version in [third, unmeasured] {
        put_in_production(version).await;
        assert_eq!(recorded().await, []);
    }
}

#[tokio::test]
async fn old_runs_go_but_none_that_an_alias_needs() {
    let folder = tempfile::tempdir().unwrap();
    let tracking = LocalTracking::new(&folder.path().join("models"));
    assert_eq!(tracking.prune(0).unwrap(), 0);
    assert!(!folder.path().join("models").exists());
    let mut runs = Vec::new();
    for number in 0..6 {
        let beginning = Beginning {
            started_ms: 1_748_736_000_000 + number,
            ..beginning("old")
        };
        let run = tracking.start(&beginning).await.unwrap();
        let ended_ms = beginning.started_ms + 100_000;
        tracking
            .finish(&run, ended_ms, &given("old"))
            .await
            .unwrap();
        runs.push(run);
    }
    // The last run has no version: it failed, perhaps.
    for run in &runs[..5] {
        tracking.register(run, "old").await.unwrap();
    }
    tracking
        .set_alias("old", Alias::Production, 2)
        .await
        .unwrap();
    tracking.set_alias("old", Alias::Staging, 3).await.unwrap();
    std::fs::create_dir(folder.path().join("models/of-somebody")).unwrap();
    let versions = async || {
        let versions = tracking.versions("old").await.unwrap();
        versions
            .iter()
            .map(|version| version.version)
            .collect::<Vec<_>>()
    };

    assert_eq!(tracking.prune(6).unwrap(), 0);
    assert_eq!(tracking.prune(2).unwrap(), 2);
    assert_eq!(versions().await, [5, 3, 2]);
    for (run, stays) in runs.iter().zip([false, true, true, false, true, true]) {
        assert_eq!(tracking.run(&run.id).await.is_ok(), stays, "{run:?}");
        assert_eq!(folder.path().join("models").join(&run.id).exists(), stays);
    }
    // The newest version stays: its number is not given again.
    assert_eq!(tracking.prune(1).unwrap(), 0);
    tracking.set_alias("old", Alias::Staging, 2).await.unwrap();
    assert_eq!(tracking.prune(1).unwrap(), 1);
    assert_eq!(versions().await, [5, 2]);
    let production = tracking.version_at("old", Alias::Production).await.unwrap();
    assert_eq!(production.unwrap().run, runs[1].id);
    assert_eq!(tracking.register(&runs[5], "old").await.unwrap().version, 6);
    assert!(folder.path().join("models/of-somebody").exists());
}

#[tokio::test]
async fn an_alias_of_a_deleted_version_is_named_in_a_server() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    let run = a_run(&tracking, "deleted").await;
    tracking.register(&run, "deleted").await.unwrap();
    tracking
        .set_alias("deleted", Alias::Production, 1)
        .await
        .unwrap();

    // The server takes the alias away with the version, so nothing is in production.
    python(server, "delete_version.py", &["deleted", "1"]);
    assert_eq!(
        tracking
            .version_at("deleted", Alias::Production)
            .await
            .unwrap(),
        None
    );

    // A registry whose two tables disagree.
    let database = server.database();
    python(
        server,
        "dangling_alias.py",
        &[database.to_str().unwrap(), "deleted", "production", "1"],
    );
    let error = tracking
        .version_at("deleted", Alias::Production)
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, TrackingError::Dangling { .. }), "{said}");
    assert!(
        said.contains("alias production of deleted")
            && said.contains("version 1, which is deleted"),
        "{said}"
    );
}

#[tokio::test]
async fn an_alias_of_a_deleted_run_is_named_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let tracking = LocalTracking::new(folder.path());
    let run = a_run(&tracking, "deleted").await;
    tracking.register(&run, "deleted").await.unwrap();
    tracking
        .set_alias("deleted", Alias::Production, 1)
        .await
        .unwrap();
    std::fs::remove_dir_all(folder.path().join(&run.id)).unwrap();
    let error = tracking
        .version_at("deleted", Alias::Production)
        .await
        .unwrap_err();
    assert!(matches!(error, TrackingError::Dangling { .. }), "{error}");
}
