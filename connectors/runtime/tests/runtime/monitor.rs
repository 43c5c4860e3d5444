//! A process is asked over HTTP how it is, and says what is so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::{Monitor, MonitorArgs, Observed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TOPIC, numbered, open_writer, with_topic};

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    monitor: MonitorArgs,
}

async fn monitor(listen: &str) -> Monitor {
    let args = Args::parse_from(["test", "--metrics-listen", listen]).monitor;
    Monitor::start(&args, "test").await.unwrap()
}

/// Status and body.
async fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

async fn eventually(addr: SocketAddr, path: &str, status: u16) -> String {
    let looking = async {
        loop {
            let (found, body) = get(addr, path).await;
            if found == status {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("{path} never answers {status}"))
}

/// A part that is as well as its broker.
#[derive(Default)]
struct Part(ClusterHealth);

impl Observed for Part {
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        self.0.check()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_follows_the_broker_and_alive_does_not() {
    let mut broker = with_topic().await;
    open_writer(&broker)
        .await
        .append(&numbered(0..7))
        .await
        .unwrap();
    let monitor = monitor("0").await;
    let addr = monitor.addr().unwrap();
    assert!(addr.ip().is_loopback(), "a port alone is one on loopback");
    let (status, body) = get(addr, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, "[-]starting\n"));

    let part = Arc::new(Part::default());
    let ends = Arc::new(std::sync::Mutex::new(None));
    monitor.observe("part", part.clone());
    let (cluster, seen) = (broker.cluster(), ends.clone());
    let asking = tokio::spawn(async move {
        let seen = |partition, log| *seen.lock().unwrap() = Some((partition, log));
        part.0.watch(&cluster, TOPIC, &[0], seen).await;
    });
    assert_eq!(eventually(addr, "/readyz", 200).await, "[+]part ok\n");
    let (partition, log) = ends.lock().unwrap().unwrap();
    assert_eq!((partition, log.start, log.end), (0, 0, 7));

    broker.stop().await;
    let body = eventually(addr, "/readyz", 503).await;
    assert!(body.starts_with("[-]part: "), "{body}");
    assert_eq!(get(addr, "/healthz").await.0, 200);
    broker.restart().await;
    eventually(addr, "/readyz", 200).await;
    asking.abort();
}

#[tokio::test]
async fn what_is_counted_can_be_scraped() {
    let monitor = monitor("127.0.0.1:0").await;
    metrics::counter!("test_things_total", "kind" => "a \"b\"\n").increment(3);
    metrics::histogram!("test_wait_seconds").record(0.02);
    let (status, body) = get(monitor.addr().unwrap(), "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "# TYPE test_things_total counter",
        r#"test_things_total{kind="a \"b\"\n"} 3"#,
        r#"test_wait_seconds_bucket{le="0.01"} 0"#,
        r#"test_wait_seconds_bucket{le="0.025"} 1"#,
        "test_wait_seconds_count 1",
    ] {
        assert!(body.lines().any(|found| found == line), "{line}: {body}");
    }
    for name in [
        "coinlake_build_info{",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
    ] {
        assert!(body.contains(name), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_bad_address_is_refused_with_a_sentence() {
    let refused = Args::try_parse_from(["test", "--metrics-listen", "localhost"]);
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("0.0.0.0:9464"), "{message}");

    let taken = monitor("0").await;
    let addr = taken.addr().unwrap().to_string();
    let args = Args::parse_from(["test", "--metrics-listen", &addr]).monitor;
    let message = Monitor::start(&args, "test")
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains(&addr), "{message}");
}
