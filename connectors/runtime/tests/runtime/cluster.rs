use std::time::Duration;

use connector_runtime::cluster::Cluster;
use connector_runtime::reader;

use crate::support::*;

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
    let mut broker = with_topic().await;
    broker.connect().await;
    broker.restart().await;
    broker.connect().await;
}

/// Whoever asks a partition something, again and again, leaves no connection behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_closed() {
    let broker = with_topic().await;
    let client = broker.connect().await;
    let port = format!(":{:04X}", broker.addr().port());
    // Connections to the broker, as it sees them.
    let open = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let established = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|local| local.ends_with(&port));
            local && fields.nth(1) == Some("01")
        };
        table.lines().filter(established).count()
    };
    let before = open();
    for _ in 0..2_000 {
        reader::offsets(&client, TOPIC, 0).await.unwrap();
    }
    let closed = async {
        while open() > before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.is_ok(), "{} connections are left", open() - before);
}
