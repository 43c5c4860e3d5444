use std::time::Duration;

use bytes::Bytes;
use connector_runtime::reader::{offsets, read_range, read_tail};
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::{TopicWriter, WriteError, WriterOptions};
use fixtures::broker::TestBroker;
use fluvio::{Compression, DeliverySemantic, RecordKey, TopicProducerConfigBuilder};

use crate::support::*;

/// What a stage does: on any error a new writer, and on from where the tail says. Returns how often it had to.
async fn write_all(broker: &TestBroker, count: usize, ack_timeout: Duration) -> usize {
    let mut reopened = 0;
    loop {
        let client = broker.connect().await;
        let done = read_tail(&client, TOPIC, 0)
            .await
            .unwrap()
            .map_or(0, |tail| number_of(&tail.value) + 1);
        let mut writer = TopicWriter::open(&client, TOPIC, 0, ack_timeout)
            .await
            .unwrap();
        let mut next = done;
        loop {
            if next == count {
                return reopened;
            }
            let end = count.min(next + 100);
            match writer.append(&numbered(next..end)).await {
                Ok(offsets) => assert_eq!(offsets, next as i64..end as i64),
                Err(err) => {
                    assert!(
                        err.is_transient() || matches!(err, WriteError::Refused { .. }),
                        "{err}"
                    );
                    let again = writer.append(&numbered(next..end)).await;
                    assert!(matches!(again, Err(WriteError::Poisoned { .. })));
                    reopened += 1;
                    break;
                }
            }
            next = end;
        }
    }
}

async fn assert_holds(broker: &TestBroker, count: usize) {
    let client = broker.connect().await;
    let held = offsets(&client, TOPIC, 0).await.unwrap();
    let records = read_range(&client, TOPIC, 0, held.start..held.end)
        .await
        .unwrap();
    assert_exactly(&records, 0..count);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_become_several_batches_and_one_range() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    assert_eq!(writer.append(&[]).await.unwrap(), 0..0);
    assert_eq!(
        writer.append(&numbered(0..20_000)).await.unwrap(),
        0..20_000
    );
    assert_eq!(
        writer.append(&numbered(20_000..20_001)).await.unwrap(),
        20_000..20_001
    );
    assert_eq!(writer.end_offset(), 20_001);
    assert_holds(&broker, 20_001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_acknowledgement_neither_loses_nor_doubles() {
    let broker = with_topic().await;
    broker.faults().lose_acks(2);
    let reopened = write_all(&broker, 1_000, Duration::from_millis(300)).await;
    assert_eq!(reopened, 2);
    assert_holds(&broker, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_acknowledgement_neither_loses_nor_doubles() {
    let broker = with_topic().await;
    broker.faults().delay_acks(Duration::from_secs(3));
    let mut writer = TopicWriter::open(
        &broker.connect().await,
        TOPIC,
        0,
        Duration::from_millis(100),
    )
    .await
    .unwrap();
    let late = writer.append(&numbered(0..100)).await;
    assert!(matches!(late, Err(WriteError::TimedOut { .. })), "{late:?}");
    broker.faults().delay_acks(Duration::ZERO);
    write_all(&broker, 1_000, ACK_TIMEOUT).await;
    assert_holds(&broker, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_neither_loses_nor_doubles() {
    let broker = with_topic().await;
    broker.faults().break_before_ack(3);
    assert_eq!(write_all(&broker, 1_000, ACK_TIMEOUT).await, 3);
    assert_holds(&broker, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_is_an_error_here_and_success_to_the_bare_client() {
    let broker = with_topic().await;
    let client = broker.connect().await;
    broker.faults().refuse_writes(1);
    let config = TopicProducerConfigBuilder::default()
        .delivery_semantic(DeliverySemantic::AtMostOnce)
        .build()
        .unwrap();
    let producer = client
        .topic_producer_with_config(TOPIC, config)
        .await
        .unwrap();
    let sent = producer.send(RecordKey::NULL, "lost").await.unwrap();
    producer.flush().await.unwrap();
    assert!(sent.wait().await.is_ok());
    assert!(offsets(&client, TOPIC, 0).await.unwrap().is_empty());

    broker.faults().refuse_writes(1);
    assert_eq!(write_all(&broker, 1_000, ACK_TIMEOUT).await, 1);
    assert_holds(&broker, 1_000).await;
}

/// Whoever sends again after an error, as the bare client's users do, writes twice.
#[tokio::test(flavor = "multi_thread")]
async fn sending_again_without_looking_doubles() {
    let broker = with_topic().await;
    broker.faults().break_before_ack(1);
    for _ in 0..2 {
        let client = broker.connect().await;
        let producer = client.topic_producer(TOPIC).await.unwrap();
        let Ok(sent) = producer.send(RecordKey::NULL, "once").await else {
            continue;
        };
        let flushed = tokio::time::timeout(Duration::from_secs(3), producer.flush()).await;
        if matches!(flushed, Ok(Ok(()))) && sent.wait().await.is_ok() {
            break;
        }
    }
    let held = offsets(&broker.connect().await, TOPIC, 0).await.unwrap();
    assert_eq!(held.len(), 2, "the fault switch no longer does anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_writer_is_noticed() {
    let broker = with_topic().await;
    let mut ours = open_writer(&broker).await;
    ours.append(&numbered(0..10)).await.unwrap();
    let mut theirs = open_writer(&broker).await;
    theirs.append(&numbered(10..11)).await.unwrap();
    let noticed = ours.append(&numbered(11..12)).await;
    assert!(
        matches!(
            noticed,
            Err(WriteError::UnexpectedOffset {
                expected: 10,
                got: 11,
                ..
            })
        ),
        "{noticed:?}"
    );
    assert!(matches!(
        ours.append(&numbered(12..13)).await,
        Err(WriteError::Poisoned { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_append_poisons() {
    let broker = with_topic().await;
    broker.faults().delay_acks(Duration::from_secs(60));
    let mut writer = open_writer(&broker).await;
    let abandoned =
        tokio::time::timeout(Duration::from_millis(50), writer.append(&numbered(0..1))).await;
    assert!(abandoned.is_err());
    assert!(matches!(
        writer.append(&numbered(1..2)).await,
        Err(WriteError::Poisoned { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_module_could_read_is_refused_and_nothing_is_written() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    let mut records = numbered(0..2);
    records.push(Outgoing {
        key: None,
        value: Bytes::from(vec![b'x'; 1024 * 1024]),
    });
    let refused = writer.append(&records).await;
    assert!(
        matches!(refused, Err(WriteError::RecordTooLarge { position: 2, .. })),
        "{refused:?}"
    );
    assert_eq!(writer.append(&numbered(0..2)).await.unwrap(), 0..2);
    assert_holds(&broker, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_broker_is_an_error_and_a_new_writer_goes_on() {
    let mut broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..100)).await.unwrap();
    broker.restart().await;
    let lost = writer.append(&numbered(100..200)).await.unwrap_err();
    assert!(lost.is_transient(), "{lost}");
    write_all(&broker, 1_000, ACK_TIMEOUT).await;
    assert_holds(&broker, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topics_compression_counts() {
    let broker = TestBroker::start().await;
    let client = broker.connect().await;
    let mut settings = TopicSettings::named(TOPIC);
    settings.compression = Some(Compression::Zstd);
    ensure_topic(&client, &settings).await.unwrap();
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..100)).await.unwrap();
    assert_holds(&broker, 100).await;
    let options = WriterOptions {
        ack_timeout: ACK_TIMEOUT,
        compression: Some(Compression::Gzip),
    };
    let refused = TopicWriter::open_with(&client, TOPIC, 0, options).await;
    insta::assert_snapshot!(
        refused.err().unwrap(),
        @"topic ticks requires compression zstd, but meta.producer.compression is gzip: remove it"
    );
}

/// Why the writer doesn't use the client's producer: dropped while the broker was away, it goes on trying and writes when
/// the broker is back, after whoever took its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_producer_of_the_bare_client_still_writes() {
    let mut broker = with_topic().await;
    let client = broker.connect().await;
    let config = TopicProducerConfigBuilder::default()
        .delivery_semantic(DeliverySemantic::AtMostOnce)
        .build()
        .unwrap();
    let producer = client
        .topic_producer_with_config(TOPIC, config)
        .await
        .unwrap();
    broker.stop().await;
    let sent = producer.send(RecordKey::NULL, "late").await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(500), sent.wait())
            .await
            .is_err()
    );
    drop(producer);
    drop(client);

    broker.restart().await;
    let client = broker.connect().await;
    let arrived = async {
        while offsets(&client, TOPIC, 0).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrived)
        .await
        .expect("the client no longer does this");
}
