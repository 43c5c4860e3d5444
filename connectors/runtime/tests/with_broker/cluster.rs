use connector_runtime::cluster::Cluster;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_said_at_once() {
    // A port that was free a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let Err(err) = Cluster::at(addr).connect().await else {
        panic!("connected");
    };
    assert!(err.is_transient());
    let message = err.to_string();
    assert!(
        message.starts_with(&format!("no Fluvio cluster at {addr}: ")),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_came_back_is_found_again() {
    let mut fixture = Fixture::with_topic().await;
    fixture.client().await;
    fixture.start_again().await;
    fixture.client().await;
}
