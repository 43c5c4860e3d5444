//! Records: produced in every way, consumed from anywhere, by many at once.

use std::time::Duration;

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fluvio::consumer::{
    ConsumerConfigExtBuilder, ConsumerStream, OffsetManagementStrategy, RetryMode,
};
use fluvio::dataplane::link::ErrorCode;
use fluvio::metadata::topic::{CompressionAlgorithm, TopicSpec, TopicStorageConfig};
use fluvio::{
    Compression, DeliverySemantic, Isolation, Offset, RecordKey, TopicProducerConfigBuilder,
};
use futures_util::StreamExt;

use crate::support::{
    Clients, batch_values, numbered, producer, stream, stream_with, take, values,
};

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_goes_in_and_comes_out() {
    let broker = TestBroker::start().await;
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let topic = format!("codec-{codec}");
        broker.create_topic(&topic, 1).await;
        let producer = producer(broker.client(), &topic, 1000, codec).await;
        for value in numbered(500) {
            producer.send("key", value).await.unwrap();
        }
        producer.flush().await.unwrap();
        assert_eq!(broker.values(&topic, 0).await, numbered(500), "{codec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_one_codec_refuses_others() {
    let broker = TestBroker::start().await;
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_compression_type(CompressionAlgorithm::Zstd);
    broker.create_topic_with("zstd-only", spec).await;
    let config = TopicProducerConfigBuilder::default()
        .compression(Compression::Zstd)
        .build()
        .unwrap();
    let zstd = broker
        .client()
        .topic_producer_with_config("zstd-only", config)
        .await
        .unwrap();
    zstd.send("key", "zstd").await.unwrap();
    zstd.flush().await.unwrap();
    assert_eq!(broker.values("zstd-only", 0).await, ["zstd"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_starts_at_any_offset() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(2000)).await;
    for from in [0, 1, 999, 1998, 1999] {
        // The first batch holds the offset, and may hold what came before it.
        let mut stream = stream(broker.client(), "topic", from, vec![], false).await;
        let first = within(stream.next()).await.unwrap().unwrap();
        assert!(first.base_offset <= from && from < first.computed_last_offset());
        assert_eq!(
            batch_values(&first)[(from - first.base_offset) as usize],
            format!("record {from}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_are_not_there_get_their_errors() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(10)).await;
    let mut beyond = stream(broker.client(), "topic", 11, vec![], false).await;
    assert!(matches!(
        within(beyond.next()).await.unwrap(),
        Err(ErrorCode::OffsetOutOfRange)
    ));
    let mut at_the_end = stream(broker.client(), "topic", 10, vec![], false).await;
    let next = tokio::spawn(async move { take(&mut at_the_end, 1).await });
    broker.produce("topic", ["new"]).await;
    assert_eq!(within(next).await.unwrap(), ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_segments_are_evicted_and_say_so() {
    let mut broker = TestBroker::start().await;
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig {
        segment_size: Some(4096),
        max_partition_size: Some(20_000),
    });
    broker.create_topic_with("small", spec).await;
    broker.produce("small", numbered(3000)).await;

    broker
        .restart_with(|config| config.evict_interval = Duration::from_millis(10))
        .await;
    let client = broker.client();
    let next_available = within(async {
        loop {
            let mut evicted = stream(client, "small", 0, vec![], false).await;
            if let Err(ErrorCode::OffsetEvicted {
                offset: 0,
                next_available,
            }) = evicted.next().await.unwrap()
            {
                return next_available;
            }
        }
    })
    .await;
    let left = values(stream(client, "small", next_available, vec![], true).await).await;
    assert_eq!(left, numbered(3000)[next_available as usize..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_logs_of_their_own() {
    let broker = TestBroker::start().await;
    broker.create_topic("three", 3).await;
    let producer = broker.client().topic_producer("three").await.unwrap();
    for n in 0..300 {
        producer
            .send(format!("key {}", n % 20), format!("{n}"))
            .await
            .unwrap();
    }
    producer.flush().await.unwrap();
    let mut all = Vec::new();
    for partition in 0..3 {
        let stream = stream_with(broker.client(), "three", partition, 0, |config| {
            config.disable_continuous = true
        })
        .await;
        let part = values(stream).await;
        assert!(!part.is_empty());
        assert!(part.is_sorted_by_key(|value| value.parse::<u32>().unwrap()));
        all.extend(part);
    }
    assert_eq!(all.len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_consumers_read_what_is_produced_meanwhile() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let mut consumers = Vec::new();
    for _ in 0..5 {
        let client = broker.connect().await;
        consumers.push(tokio::spawn(async move {
            let mut stream = stream(&client, "topic", 0, vec![], false).await;
            take(&mut stream, 20_000).await
        }));
    }
    let mut shared = stream(broker.client(), "topic", 0, vec![], false).await;
    broker.produce("topic", numbered(20_000)).await;
    assert_eq!(take(&mut shared, 20_000).await, numbered(20_000));
    for consumer in consumers {
        assert_eq!(within(consumer).await.unwrap(), numbered(20_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_batch_is_acknowledged_with_its_own_offset() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    for (semantic, isolation) in [
        (DeliverySemantic::AtMostOnce, Isolation::ReadUncommitted),
        (DeliverySemantic::default(), Isolation::ReadCommitted),
    ] {
        let config = TopicProducerConfigBuilder::default()
            .batch_size(200)
            .delivery_semantic(semantic)
            .isolation(isolation)
            .linger(Duration::from_secs(10))
            .build()
            .unwrap();
        let producer = broker
            .client()
            .topic_producer_with_config("topic", config)
            .await
            .unwrap();
        let start = broker.values("topic", 0).await.len() as i64;
        let mut sent = Vec::new();
        for value in numbered(1000) {
            sent.push(producer.send(RecordKey::NULL, value).await.unwrap());
        }
        within(producer.flush()).await.unwrap();
        for (n, sent) in sent.into_iter().enumerate() {
            assert_eq!(
                within(sent.wait()).await.unwrap().offset(),
                start + n as i64
            );
        }
        within(producer.flush()).await.unwrap(); // An empty request.
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_above_max_bytes_is_delivered_whole() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let producer = producer(broker.client(), "topic", 100_000, Compression::None).await;
    let large = "x".repeat(90_000);
    for _ in 0..3 {
        producer
            .send(RecordKey::NULL, large.as_str())
            .await
            .unwrap();
    }
    producer.flush().await.unwrap();
    let mut stream = stream_with(broker.client(), "topic", 0, 0, |config| {
        config.max_bytes = 1000
    })
    .await;
    assert_eq!(take(&mut stream, 3).await, [large.as_str(), &large, &large]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_topic_ends_its_streams() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(3)).await;
    let mut stream = stream(broker.client(), "topic", 0, vec![], false).await;
    take(&mut stream, 3).await;
    broker
        .client()
        .admin()
        .await
        .delete::<TopicSpec>("topic")
        .await
        .unwrap();
    assert!(matches!(
        within(stream.next()).await.unwrap(),
        Err(ErrorCode::TopicDeleted)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_continue_where_they_were() {
    let mut broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(10)).await;
    let config = || {
        ConsumerConfigExtBuilder::default()
            .topic("topic")
            .offset_consumer("reader")
            .offset_start(Offset::beginning())
            .offset_strategy(OffsetManagementStrategy::Manual)
            .retry_mode(RetryMode::Disabled)
            .build()
            .unwrap()
    };
    let mut stream = broker
        .client()
        .consumer_with_config(config())
        .await
        .unwrap();
    for n in 0..4 {
        let record = within(stream.next()).await.unwrap().unwrap();
        assert_eq!(record.offset(), n);
    }
    stream.offset_commit().await.unwrap();
    within(stream.offset_flush()).await.unwrap();
    drop(stream);

    broker.restart().await;
    let stored = broker.client().consumer_offsets().await.unwrap();
    assert_eq!(
        (
            stored.len(),
            stored[0].consumer_id.as_str(),
            stored[0].offset
        ),
        (1, "reader", 3)
    );
    let mut stream = broker
        .client()
        .consumer_with_config(config())
        .await
        .unwrap();
    assert_eq!(within(stream.next()).await.unwrap().unwrap().offset(), 4);

    broker
        .client()
        .delete_consumer_offset("reader", ("topic", 0))
        .await
        .unwrap();
    assert!(broker.client().consumer_offsets().await.unwrap().is_empty());
    assert!(
        broker
            .client()
            .delete_consumer_offset("reader", ("topic", 0))
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_of_a_deleted_topic_is_forgotten() {
    let mut broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(1)).await;
    let config = ConsumerConfigExtBuilder::default()
        .topic("topic")
        .offset_consumer("reader")
        .offset_start(Offset::beginning())
        .offset_strategy(OffsetManagementStrategy::Manual)
        .build()
        .unwrap();
    let mut stream = broker.client().consumer_with_config(config).await.unwrap();
    within(stream.next()).await.unwrap().unwrap();
    stream.offset_commit().await.unwrap();
    within(stream.offset_flush()).await.unwrap();
    broker
        .client()
        .admin()
        .await
        .delete::<TopicSpec>("topic")
        .await
        .unwrap();
    assert!(broker.client().consumer_offsets().await.unwrap().is_empty());
    broker.restart().await;
    assert!(broker.client().consumer_offsets().await.unwrap().is_empty());
}
