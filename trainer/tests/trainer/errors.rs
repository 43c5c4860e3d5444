//! What goes wrong gets a sentence that names the thing and the remedy, and never a secret.

use std::fs;
use std::net::TcpListener;

use faults::SmallDisk;
use fixtures::mlflow::{ADMIN, server, server_with_sign_in};
use trainer::production::recorded_drift;
use trainer::tracking::{Alias, LocalTracking, RunStatus, Tracking, TrackingError};
use trainer::{Artifact, Run};

use crate::client::{client, client_as, client_of, python};
use crate::runs::{beginning, given};

#[tokio::test]
async fn a_server_that_is_down_is_named() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let uri = format!("http://me:hunter2@{free}");
    let tracking = client(&[("MLFLOW_TRACKING_URI", &uri)]);
    for error in [
        tracking.check().await.unwrap_err(),
        tracking.start(&beginning("down")).await.unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(matches!(error, TrackingError::Unreachable { .. }), "{said}");
        assert!(
            said.contains(&free.to_string()) && said.contains("is it running"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn wrong_or_absent_credentials_are_refused() {
    let Some(server) = server_with_sign_in() else {
        return;
    };
    for wrong in [
        &[("MLFLOW_TRACKING_TOKEN", "hunter2")][..],
        &[
            ("MLFLOW_TRACKING_USERNAME", "admin"),
            ("MLFLOW_TRACKING_PASSWORD", "hunter2"),
        ],
        &[],
    ] {
        let tracking = client_as(server, wrong);
        for error in [
            tracking.check().await.unwrap_err(),
            tracking.start(&beginning("secret")).await.unwrap_err(),
            tracking
                .version_at("secret", Alias::Production)
                .await
                .unwrap_err(),
        ] {
            let said = error.to_string();
            assert!(
                matches!(error, TrackingError::Denied { status: 401, .. }),
                "{said}"
            );
            assert!(said.contains("MLFLOW_TRACKING_TOKEN"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[tokio::test]
async fn the_right_password_opens_everything() {
    let Some(server) = server_with_sign_in() else {
        return;
    };
    let tracking = client_as(
        server,
        &[
            ("MLFLOW_TRACKING_USERNAME", ADMIN.0),
            ("MLFLOW_TRACKING_PASSWORD", ADMIN.1),
        ],
    );
    tracking.check().await.unwrap();
    let run = tracking.start(&beginning("secret")).await.unwrap();
    let given = given("secret");
    tracking
        .finish(&run, 1_748_736_100_000, &given)
        .await
        .unwrap();
    let version = tracking.register(&run, "secret").await.unwrap();
    tracking
        .set_alias("secret", Alias::Production, version.version)
        .await
        .unwrap();
    assert_eq!(
        tracking.model(&version).await.unwrap(),
        given.models[0].bytes
    );
}

#[tokio::test]
async fn a_deleted_experiment_can_be_brought_back() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    tracking.start(&beginning("in the bin")).await.unwrap();
    python(server, "delete_experiment.py", &["in the bin"]);
    let error = tracking.start(&beginning("in the bin")).await.unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(error, TrackingError::ExperimentDeleted { .. }),
        "{said}"
    );
    let command = said.split('`').nth(1).unwrap();
    let (program, arguments) = command.split_once(' ').unwrap();
    assert_eq!(program, "mlflow", "{said}");
    server.mlflow(&arguments.split(' ').collect::<Vec<_>>());
    tracking.start(&beginning("in the bin")).await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    for id in ["0123456789abcdef0123456789abcdef", "no id", ""] {
        let error = tracking.run(id).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, TrackingError::UnknownRun { .. }), "{said}");
        assert!(said.contains(&format!("no run {id} in")), "{said}");
    }
    let run = tracking.start(&beginning("files")).await.unwrap();
    let path = "drift/reference.json";
    let error = tracking.file(&run.id, path).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, TrackingError::MissingFile { .. }), "{said}");
    assert!(said.contains(&run.id) && said.contains(path), "{said}");
}

#[tokio::test]
async fn an_unknown_experiment_has_no_runs() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    assert_eq!(tracking.runs("no such", 1).await.unwrap(), []);
    assert_eq!(recorded_drift(&tracking, "no such").await.unwrap(), []);
}

#[tokio::test]
async fn a_run_is_marked_failed_where_the_server_stores_no_files() {
    let Some(server) = server() else { return };
    let tracking = client_of(server);
    python(
        server,
        "create_experiment.py",
        &["elsewhere", "s3://bucket/elsewhere"],
    );
    let error = tracking.start(&beginning("elsewhere")).await.unwrap_err();
    assert!(
        matches!(error, TrackingError::ArtifactsElsewhere { .. }),
        "{error}"
    );
    let runs = tracking.runs("elsewhere", 9).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].status, RunStatus::Failed);
    assert_eq!(runs[0].tags["failure"], error.to_string());
}

#[tokio::test]
async fn another_kind_of_server_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    let tracking = client(&[("MLFLOW_TRACKING_URI", &uri)]);
    let error = tracking.start(&beginning("elsewhere")).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, TrackingError::Foreign { .. }), "{said}");
    assert!(said.contains("MLFLOW_TRACKING_URI"), "{said}");
}

#[tokio::test]
async fn a_full_disk_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path(), "256k") else {
        return;
    };
    let tracking = LocalTracking::new(&disk.path().join("models"));
    let small = Run {
        artifacts: vec![Artifact {
            path: "card.md".to_owned(),
            bytes: b"# A card".to_vec(),
        }],
        ..Run::default()
    };
    let first = tracking.start(&beginning("full")).await.unwrap();
    tracking.finish(&first, 1, &small).await.unwrap();
    tracking.register(&first, "model").await.unwrap();
    tracking
        .set_alias("model", Alias::Production, 1)
        .await
        .unwrap();

    let second = tracking.start(&beginning("full")).await.unwrap();
    let error = tracking
        .finish(&second, 1, &given("model"))
        .await
        .unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, TrackingError::NoSpace { .. }), "{said}");
    assert!(
        said.contains("no space left for") && said.contains("--data"),
        "{said}"
    );

    let runs = tracking.runs("full", 9).await.unwrap();
    assert_eq!(runs.len(), 1, "half a run is no run");
    let production = tracking
        .version_at("model", Alias::Production)
        .await
        .unwrap();
    assert_eq!(production.unwrap().run, first.id);
    // The room that half a run took is free again.
    let third = tracking.start(&beginning("full")).await.unwrap();
    tracking.finish(&third, 1, &small).await.unwrap();
}

#[tokio::test]
async fn a_damaged_registry_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let tracking = LocalTracking::new(folder.path());
    for contents in ["{", r#"{"format": 9, "models": {}}"#] {
        fs::write(folder.path().join("registry.json"), contents).unwrap();
        let error = tracking.versions("model").await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, TrackingError::Damaged { .. }), "{said}");
        assert!(said.contains("registry.json is damaged"), "{said}");
    }
}

#[tokio::test]
async fn a_run_is_a_name_and_not_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let other = LocalTracking::new(&elsewhere);
    let run = other.start(&beginning("elsewhere")).await.unwrap();
    other.finish(&run, 1, &Run::default()).await.unwrap();

    // A valid run wherever such a path leads.
    let run_folder = elsewhere.join(&run.id);
    let models = folder.path().join("models");
    for place in ["known", "", ".partial", "a/b"] {
        let place = models.join(place);
        fs::create_dir_all(&place).unwrap();
        fs::copy(run_folder.join("run.json"), place.join("run.json")).unwrap();
    }
    let tracking = LocalTracking::new(&models);
    tracking.run("known").await.unwrap();
    let relative = format!("../elsewhere/{}", run.id);
    let absolute = run_folder.to_str().unwrap();
    for id in [&relative, absolute, "", ".", ".partial", "a/b"] {
        let error = tracking.run(id).await.unwrap_err();
        assert!(matches!(error, TrackingError::UnknownRun { .. }), "{error}");
    }
}
