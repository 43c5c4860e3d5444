//! Versions and aliases, in the server and in a folder alike.

use fixtures::mlflow::server;
use serde_json::Value;
use trainer::tracking::{Alias, LocalTracking, OpenRun, Tracking, TrackingError};

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
