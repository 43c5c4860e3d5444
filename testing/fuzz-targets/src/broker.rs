//! The broker's socket.

use std::sync::OnceLock;
use std::time::Duration;

use broker::{Broker, BrokerConfig};
use connector_runtime::cluster::Cluster;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// How long the broker may take over what it was sent; an answer that waits for something to happen is not waited for.
const PATIENCE: Duration = Duration::from_millis(200);

struct Running {
    runtime: Runtime,
    broker: Broker,
    _data: TempDir,
}

/// What comes over a connection: frames, each after its length. The broker answers or closes, and lives on: the next connection
/// is served. A panic in one of its tasks ends the process.
pub fn broker_socket(data: &[u8]) {
    static RUNNING: OnceLock<Running> = OnceLock::new();
    let running = RUNNING.get_or_init(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            usual(panic);
            std::process::abort();
        }));
        let data = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let config = BrokerConfig {
            frame_bytes_max: 1 << 20,
            ..BrokerConfig::new(data.path())
        };
        let broker = runtime.block_on(async {
            // A Rust program outlives a write to a socket that is gone; libFuzzer's main would end. A handler stays for good.
            drop(signal(SignalKind::pipe()).unwrap());
            let broker = Broker::start(config).await.unwrap();
            // Something to write to and to read.
            let client = Cluster::at(broker.addr()).connect().await.unwrap();
            let topic = TopicSettings::named("crypto-raw");
            ensure_topic(&client, &topic).await.unwrap();
            broker
        });
        Running {
            runtime,
            broker,
            _data: data,
        }
    });
    running.runtime.block_on(async {
        let mut socket = TcpStream::connect(running.broker.addr()).await.unwrap();
        // It may close before it has everything.
        let _ = socket.write_all(data).await;
        let _ = socket.shutdown().await;
        let mut answers = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answers)).await;
    });
}
