//! A broker of one's own, and records to put into it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use broker::{Broker, BrokerConfig, Faults};
use bytes::Bytes;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::record::{Outgoing, Record};
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use tempfile::TempDir;

pub const TOPIC: &str = "ticks";
pub const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// A running broker; its data lives as long as this does.
pub struct Fixture {
    pub faults: Faults,
    config: BrokerConfig,
    broker: Option<Broker>,
    _dir: TempDir,
}

impl Fixture {
    pub async fn start() -> Self {
        Self::evicting_every(Duration::from_secs(10)).await
    }

    /// A broker that looks for segments to delete this often.
    pub async fn evicting_every(interval: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(dir.path().join("data"));
        config.evict_interval = interval;
        let broker = Broker::start(config.clone()).await.unwrap();
        config.listen = broker.addr();
        Self {
            faults: config.faults.clone(),
            config,
            broker: Some(broker),
            _dir: dir,
        }
    }

    /// With the topic [`TOPIC`] of one partition.
    pub async fn with_topic() -> Self {
        let fixture = Self::start().await;
        let client = fixture.client().await;
        ensure_topic(&client, &TopicSettings::named(TOPIC))
            .await
            .unwrap();
        fixture
    }

    pub fn cluster(&self) -> Cluster {
        Cluster::at(self.config.listen)
    }

    /// Where the broker listens.
    pub fn addr(&self) -> SocketAddr {
        self.config.listen
    }

    pub async fn client(&self) -> Client {
        self.cluster().connect().await.unwrap()
    }

    pub async fn writer(&self) -> TopicWriter {
        TopicWriter::open(&self.client().await, TOPIC, 0, ACK_TIMEOUT)
            .await
            .unwrap()
    }

    pub async fn stop(&mut self) {
        if let Some(broker) = self.broker.take() {
            broker.stop().await;
        }
    }

    /// On the same port, with the same data.
    pub async fn start_again(&mut self) {
        self.stop().await;
        self.broker = Some(Broker::start(self.config.clone()).await.unwrap());
    }
}

/// Records that say which they are.
pub fn numbered(numbers: Range<usize>) -> Vec<Outgoing> {
    numbers
        .map(|number| Outgoing {
            key: Some(Bytes::from_static(b"bitcoin")),
            value: Bytes::from(format!("{number:08}{}", "x".repeat(number % 500))),
        })
        .collect()
}

pub fn number_of(value: &[u8]) -> usize {
    std::str::from_utf8(&value[..8]).unwrap().parse().unwrap()
}

/// Panics unless these are the records `numbers`, in order, each once, at offsets equal to their numbers.
#[track_caller]
pub fn assert_exactly(records: &[Record], numbers: Range<usize>) {
    assert_eq!(records.len(), numbers.len());
    for (record, number) in records.iter().zip(numbers) {
        assert_eq!(number_of(&record.value), number);
        assert_eq!(record.offset, number as i64);
        assert!(record.timestamp_ms > 0);
    }
}
