//! A server behind TLS, with certificates on both sides, and its workspaces.

use fixtures::mlflow::secure_server;
use trainer::tracking::{Alias, Tracking, TrackingError};

use crate::client::{client, python};
use crate::runs::{beginning, given};

#[tokio::test]
async fn certificates_and_workspaces_are_those_of_the_environment() {
    let Some(server) = secure_server() else {
        return;
    };
    let with = |more: &[(&'static str, &str)], without: &str| {
        let variables = server.variables().iter();
        let variables = variables.map(|(name, value)| (*name, value.as_str()));
        let variables = variables.filter(|(name, _)| *name != without);
        client(&variables.chain(more.iter().copied()).collect::<Vec<_>>())
    };
    python(&server, "create_workspace.py", &["team"]);
    let tracking = with(&[("MLFLOW_WORKSPACE", "team")], "");
    let run = tracking.start(&beginning("secure")).await.unwrap();
    let given = given("secure");
    tracking
        .finish(&run, 1_748_736_100_000, &given)
        .await
        .unwrap();
    let version = tracking.register(&run, "secure").await.unwrap();
    tracking
        .set_alias("secure", Alias::Production, version.version)
        .await
        .unwrap();
    assert_eq!(
        tracking.model(&version).await.unwrap(),
        given.models[0].bytes
    );
    let elsewhere = with(&[], "");
    let found = elsewhere.version_at("secure", Alias::Production).await;
    assert!(
        found.unwrap().is_none(),
        "the default workspace has no such model"
    );

    let anybody = "MLFLOW_TRACKING_SERVER_CERT_PATH";
    let insecure = with(&[("MLFLOW_TRACKING_INSECURE_TLS", "true")], anybody);
    insecure.check().await.unwrap();
    for (missing, said) in [
        (anybody, "MLFLOW_TRACKING_SERVER_CERT_PATH can name"),
        ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "is it running"),
    ] {
        let error = with(&[], missing).check().await.unwrap_err();
        assert!(
            matches!(error, TrackingError::Unreachable { .. }) && error.to_string().contains(said),
            "{error}"
        );
    }
}
