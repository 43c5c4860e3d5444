//! A broker with a topic, and records to put into it.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use connector_runtime::record::{Outgoing, Record};
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::broker::TestBroker;

pub(crate) const TOPIC: &str = "ticks";
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// A broker with the topic [`TOPIC`] of one partition.
pub(crate) async fn with_topic() -> TestBroker {
    let broker = TestBroker::start().await;
    ensure_topic(broker.client(), &TopicSettings::named(TOPIC))
        .await
        .unwrap();
    broker
}

/// A writer with a connection of its own.
pub(crate) async fn open_writer(broker: &TestBroker) -> TopicWriter {
    TopicWriter::open(&broker.connect().await, TOPIC, 0, ACK_TIMEOUT)
        .await
        .unwrap()
}

/// Records of one coin whose values begin with their number, in eight digits, and differ in length.
pub(crate) fn numbered(numbers: Range<usize>) -> Vec<Outgoing> {
    numbers
        .map(|number| Outgoing {
            key: Some(Bytes::from_static(b"bitcoin")),
            value: Bytes::from(format!("{number:08}{}", "x".repeat(number % 500))),
        })
        .collect()
}

/// The number that a value of [`numbered`] begins with.
pub(crate) fn number_of(value: &[u8]) -> usize {
    std::str::from_utf8(&value[..8]).unwrap().parse().unwrap()
}

/// Panics unless these are the records [`numbered`] so, in order, each once, at offsets equal to their numbers.
#[track_caller]
pub(crate) fn assert_exactly(records: &[Record], numbers: Range<usize>) {
    assert_eq!(records.len(), numbers.len());
    for (record, number) in records.iter().zip(numbers.clone()) {
        assert_eq!(record.offset, number as i64);
        assert!(record.timestamp_ms > 0);
    }
    for (record, expected) in records.iter().zip(numbered(numbers)) {
        assert_eq!(
            (&record.key, &record.value),
            (&expected.key, &expected.value)
        );
    }
}
