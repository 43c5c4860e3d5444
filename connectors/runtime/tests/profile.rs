//! Fluvio profiles. One test alone in its process, because the profile file is named by an environment variable.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

use broker::{Broker, BrokerConfig};
use connector_runtime::cluster::{Cluster, ClusterError};

#[test]
fn a_profile_names_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profiles");
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("FLV_PROFILE_PATH", &path) };
    let refusal = |name| {
        let err = Cluster::from_profile(name).unwrap_err();
        assert!(!err.is_transient());
        let ClusterError::Profile { reason } = err else {
            panic!("{err}");
        };
        reason
    };
    assert!(refusal(None).starts_with("the profile file cannot be read"));

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let broker = Broker::start(BrokerConfig::new(dir.path().join("data")))
            .await
            .unwrap();
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
        broker.stop().await;
    });
}
