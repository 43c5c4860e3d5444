//! Fluvio profiles, of a process of its own: an environment variable names their file.

use std::process::Command;

use connector_runtime::cluster::{Cluster, ClusterError};
use fixtures::broker::TestBroker;
use fixtures::process::succeeded;

const PROFILES: &str = "FLV_PROFILE_PATH";

#[test]
fn a_profile_names_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "profile::clusters", "--nocapture"])
        .env(PROFILES, dir.path().join("profiles"))
        .output()
        .unwrap();
    let printed = succeeded(&output);
    assert!(printed.contains("1 passed"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by the other test"]
async fn clusters() {
    let path = std::env::var_os(PROFILES).unwrap();
    let refusal = |name| {
        let err = Cluster::from_profile(name).unwrap_err();
        assert!(!err.is_transient());
        let ClusterError::Profile { reason } = err else {
            panic!("{err}");
        };
        reason
    };
    assert!(refusal(None).starts_with("the profile file cannot be read"));

    let broker = TestBroker::start().await;
    let addr = broker.addr();
    std::fs::write(
        &path,
        format!(
            "version = \"2.0\"\n[profile.here]\ncluster = \"here\"\n[profile.nowhere]\ncluster = \"gone\"\n\
             [cluster.here]\nendpoint = \"{addr}\"\n[cluster.here.tls]\ntls_policy = \"disabled\"\n\
             [profile.tls]\ncluster = \"tls\"\n[cluster.tls]\nendpoint = \"{addr}\"\n\
             [cluster.tls.tls]\ntls_policy = \"anonymous\"\n"
        ),
    )
    .unwrap();
    assert_eq!(refusal(None), "no profile is the current one");
    assert!(refusal(Some("nowhere")).contains("profile nowhere"));
    let cluster = Cluster::from_profile(Some("here")).unwrap();
    assert_eq!(cluster.name(), format!("{addr} (profile here)"));
    cluster.connect().await.unwrap();

    // rustls takes the address with its port for the name in the certificate, whatever that is.
    let tls = Cluster::from_profile(Some("tls")).unwrap().connect().await;
    let err = tls.err().unwrap();
    assert!(err.to_string().contains("tls_policy `anonymous`"), "{err}");
}
