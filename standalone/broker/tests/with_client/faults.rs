//! The switches do what a cluster does at its worst, so that connectors can be tested against it.

use std::collections::BTreeSet;
use std::time::Duration;

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fluvio::{Compression, DeliverySemantic, RecordKey, TopicProducerConfigBuilder};
use futures_util::StreamExt;

use crate::support::{Clients, batch_values, module, numbered, producer, stream_with, values, wat};

#[tokio::test(flavor = "multi_thread")]
async fn cut_reads_lose_records_of_the_bare_client() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let producer = producer(broker.client(), "topic", 16_000, Compression::None).await;
    for value in numbered(50_000) {
        producer.send(RecordKey::NULL, value).await.unwrap();
    }
    producer.flush().await.unwrap();
    let read = || {
        stream_with(broker.client(), "topic", 0, 0, |config| {
            config.max_bytes = 100_000;
            config.disable_continuous = true;
        })
    };
    assert_eq!(values(read().await).await.len(), 50_000);
    broker.faults().cut_reads(true);
    let cut = values(read().await).await;
    assert!(cut.len() < 50_000 && cut.len() > 10_000, "{}", cut.len());
    broker.faults().cut_reads(false);
    assert_eq!(values(read().await).await, numbered(50_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn careless_modules_skip_to_the_end_of_the_log() {
    let broker = TestBroker::start().await;
    let mut spec = fluvio::metadata::topic::TopicSpec::new_computed(1, 1, None);
    let storage = fluvio::metadata::topic::TopicStorageConfig {
        segment_size: Some(10_000),
        max_partition_size: None,
    };
    spec.set_storage(storage);
    broker.create_topic_with("topic", spec).await;
    broker.create_module("none", &wat::pass_after(5)).await;
    broker.produce("topic", numbered(5000)).await;
    broker.faults().careless_modules(true);
    // The first read covers a segment of about ten batches; a module quiet for longer than that loses the rest.
    broker.create_module("quiet", &wat::pass_after(15)).await;
    let mut stream = stream_with(broker.client(), "topic", 0, 0, |config| {
        config.smartmodule = vec![module("quiet")]
    })
    .await;
    let next = tokio::spawn(async move { stream.next().await });
    while !next.is_finished() {
        broker.produce("topic", ["after"]).await;
    }
    let first = within(next).await.unwrap().unwrap().unwrap();
    assert!(batch_values(&first).iter().all(|value| value == "after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_are_lost_delayed_refused_and_broken() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let at_most_once = || {
        TopicProducerConfigBuilder::default()
            .delivery_semantic(DeliverySemantic::AtMostOnce)
            .build()
            .unwrap()
    };
    let client = broker.client();
    let send = async |value: &str| {
        let producer = client
            .topic_producer_with_config("topic", at_most_once())
            .await
            .unwrap();
        let sent = producer.send(RecordKey::NULL, value).await.unwrap();
        producer.flush().await.unwrap();
        let acknowledged = tokio::time::timeout(Duration::from_millis(300), sent.wait()).await;
        acknowledged.ok().map(|sent| sent.map(|sent| sent.offset()))
    };
    assert_eq!(send("plain").await.unwrap().unwrap(), 0);
    broker.faults().lose_acks(1);
    assert!(send("lost").await.is_none());
    broker.faults().delay_acks(Duration::from_millis(600));
    assert!(send("late").await.is_none());
    broker.faults().delay_acks(Duration::ZERO);
    broker.faults().refuse_writes(1);
    // The client shows no error here; the offset is one that no record has.
    assert_eq!(send("refused").await.unwrap().unwrap(), -1);
    assert_eq!(send("plain").await.unwrap().unwrap(), 3);
    broker.faults().break_before_ack(1);
    assert!(!matches!(send("broken").await, Some(Ok(4))));
    let client = broker.connect().await;
    let stream = crate::support::stream(&client, "topic", 0, vec![], true).await;
    assert_eq!(
        values(stream).await,
        ["plain", "lost", "late", "plain", "broken"]
    );
    let unique: BTreeSet<_> = ["plain", "lost", "late", "broken"].into();
    assert_eq!(unique.len(), 4);
}
