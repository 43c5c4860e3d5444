use std::time::Duration;

use connector_runtime::reader::{Arrivals, PlainReader, ReadError, offsets, read_range, read_tail};
use connector_runtime::record::{LogRange, Record};
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::{TopicWriter, WriterOptions};
use fixtures::broker::TestBroker;
use fluvio::consumer::ConsumerConfigExt;
use fluvio::{Compression, Offset};
use futures_util::StreamExt;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::support::*;

const RECORDS: usize = 12_000;

/// Batches of 40 records, about 10 KB.
async fn fill(broker: &TestBroker, records: usize) {
    let mut writer = open_writer(broker).await;
    for start in (0..records).step_by(40) {
        writer
            .append(&numbered(start..records.min(start + 40)))
            .await
            .unwrap();
    }
}

async fn read(reader: &mut PlainReader, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(reader.next().await.unwrap());
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_client_loses_records_and_the_reader_does_not() {
    let broker = with_topic().await;
    fill(&broker, RECORDS).await;
    broker.faults().cut_reads(true);

    let client = broker.connect().await;
    let config = ConsumerConfigExt::builder()
        .topic(TOPIC)
        .partition(0)
        .offset_start(Offset::beginning())
        .disable_continuous(true)
        .max_bytes(100_000)
        .build()
        .unwrap();
    let mut stream = client.consumer_with_config(config).await.unwrap();
    let mut bare = 0;
    while let Ok(Some(Ok(_))) = tokio::time::timeout(Duration::from_secs(2), stream.next()).await {
        bare += 1;
    }
    assert!(bare < RECORDS, "the fault switch no longer does anything");

    for max_bytes in [100_000, 1_000_000, 4_000_000] {
        let mut reader = PlainReader::open(&client, TOPIC, 0, 0)
            .await
            .unwrap()
            .with_max_bytes(max_bytes);
        assert_exactly(&read(&mut reader, RECORDS).await, 0..RECORDS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_look_brings_what_arrived_since_the_last_one_that_did_not_fail() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..40)).await.unwrap();
    let client = broker.client();
    let mut arrivals = Arrivals::default();
    let late = i64::MAX;
    let first = arrivals.look(client, TOPIC, 1, late).await.unwrap();
    assert_eq!(
        number_of(&first[0].value),
        39,
        "the newest, as none is recent"
    );
    assert_eq!(first.len(), 1);
    writer.append(&numbered(40..3_000)).await.unwrap();
    assert!(arrivals.look(client, TOPIC, 2, late).await.is_err());
    // However old they are by now.
    let second = arrivals.look(client, TOPIC, 1, late).await.unwrap();
    assert_exactly(&second, 40..3_000);
    let third = arrivals.look(client, TOPIC, 1, late).await.unwrap();
    assert!(third.is_empty());

    let mut anew = Arrivals::default();
    let all = anew.look(client, TOPIC, 1, 0).await.unwrap();
    assert_exactly(&all, 0..3_000);
    assert_eq!(anew.positions().get(&0), Some(&3_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_an_answer_is_asked_for_again() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..5_000)).await.unwrap();
    broker.faults().cut_reads(true);
    for max_bytes in [1, 60, 5_000, 200_000] {
        let mut reader = PlainReader::open(&broker.connect().await, TOPIC, 0, 1_234)
            .await
            .unwrap()
            .with_max_bytes(max_bytes);
        assert_exactly(&read(&mut reader, 5_000 - 1_234).await, 1_234..5_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_read() {
    let broker = with_topic().await;
    let client = broker.connect().await;
    let all = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];
    for (round, compression) in all.into_iter().enumerate() {
        let options = WriterOptions {
            ack_timeout: ACK_TIMEOUT,
            compression: Some(compression),
        };
        let mut writer = TopicWriter::open_with(&client, TOPIC, 0, options)
            .await
            .unwrap();
        let start = round * 1_000;
        writer
            .append(&numbered(start..start + 1_000))
            .await
            .unwrap();
    }
    broker.faults().cut_reads(true);
    let mut reader = PlainReader::open(&client, TOPIC, 0, 0)
        .await
        .unwrap()
        .with_max_bytes(50_000);
    assert_exactly(&read(&mut reader, 5_000).await, 0..5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_read_loses_nothing() {
    let broker = with_topic().await;
    broker.faults().cut_reads(true);
    let mut writer = open_writer(&broker).await;
    let writing = tokio::spawn(async move {
        for start in (0..4_000).step_by(10) {
            writer.append(&numbered(start..start + 10)).await.unwrap();
        }
    });
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut reader = PlainReader::open(&broker.connect().await, TOPIC, 0, 0)
        .await
        .unwrap()
        .with_max_bytes(3_000);
    let mut records = Vec::new();
    while records.len() < 4_000 {
        let patience = Duration::from_micros(rng.next_u64() % 400);
        tokio::select! {
            biased;
            next = reader.next() => records.extend(next.unwrap()),
            () = tokio::time::sleep(patience) => {}
        }
    }
    writing.await.unwrap();
    assert_exactly(&records, 0..4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_broker_reading_goes_on() {
    let mut broker = with_topic().await;
    fill(&broker, 1_000).await;
    let mut reader = PlainReader::open(&broker.connect().await, TOPIC, 0, 0)
        .await
        .unwrap();
    let mut records = read(&mut reader, 1_000).await;

    let (lost, ()) = tokio::join!(reader.next(), broker.stop());
    let error = lost.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(broker.cluster().connect().await.is_err());

    broker.restart().await;
    let client = broker.connect().await;
    let mut writer = open_writer(&broker).await;
    assert_eq!(writer.end_offset(), 1_000);
    writer.append(&numbered(1_000..1_100)).await.unwrap();
    let mut reader = PlainReader::open(&client, TOPIC, 0, reader.position())
        .await
        .unwrap();
    records.extend(read(&mut reader, 100).await);
    assert_exactly(&records, 0..1_100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_at_the_end_waits_for_the_next_record() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..3)).await.unwrap();
    let mut reader = PlainReader::open(&broker.connect().await, TOPIC, 0, 3)
        .await
        .unwrap();
    let waiting = tokio::spawn(async move { reader.next().await.unwrap() });
    writer.append(&numbered(3..5)).await.unwrap();
    let mut records = waiting.await.unwrap();
    if records.len() == 1 {
        records.extend(
            read_range(&broker.connect().await, TOPIC, 0, 4..5)
                .await
                .unwrap(),
        );
    }
    assert_exactly(&records, 3..5);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_the_tail() {
    let broker = with_topic().await;
    let client = broker.connect().await;
    assert_eq!(read_tail(&client, TOPIC, 0).await.unwrap(), None);
    assert_eq!(
        offsets(&client, TOPIC, 0).await.unwrap(),
        LogRange { start: 0, end: 0 }
    );
    fill(&broker, 1_000).await;
    assert_eq!(
        offsets(&client, TOPIC, 0).await.unwrap(),
        LogRange {
            start: 0,
            end: 1_000
        }
    );
    let tail = read_tail(&client, TOPIC, 0).await.unwrap().unwrap();
    assert_exactly(&[tail], 999..1_000);
    let some = read_range(&client, TOPIC, 0, 17..903).await.unwrap();
    assert_exactly(&some, 17..903);
    let all = read_range(&client, TOPIC, 0, 0..1_000).await.unwrap();
    assert_exactly(&all, 0..1_000);
    assert!(
        read_range(&client, TOPIC, 0, 5..5)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(matches!(
        read_range(&client, TOPIC, 0, 5..1_001).await,
        Err(ReadError::OffsetBeyondEnd { log_end: 1_000, .. })
    ));
}

/// An SPU that was killed comes back with an old high watermark and keeps it until the next record is written.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_counts_whatever_the_watermark_says() {
    const RECORDS: usize = 25_113;
    let broker = with_topic().await;
    let client = broker.connect().await;
    // Small batches, and some that no question for the end reads whole.
    fill(&broker, 20_000).await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(20_000..RECORDS)).await.unwrap();
    for cut in [false, true] {
        broker.faults().cut_reads(cut);
        for hidden in [0, 1, 50, 6_000, 20_103, RECORDS] {
            broker.faults().old_watermarks(hidden as u64);
            let what = format!("cut: {cut}, hidden: {hidden}");
            let held = offsets(&client, TOPIC, 0).await.unwrap();
            assert_eq!((held.start, held.end), (0, RECORDS as i64), "{what}");
            assert_eq!(open_writer(&broker).await.end_offset(), held.end, "{what}");
            let tail = read_tail(&client, TOPIC, 0).await.unwrap().unwrap();
            assert_exactly(&[tail], RECORDS - 1..RECORDS);
            let newest = read_range(&client, TOPIC, 0, 25_000..held.end);
            assert_exactly(&newest.await.unwrap(), 25_000..RECORDS);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let broker = with_topic().await;
    let client = broker.connect().await;
    let refusal = |result: Result<PlainReader, ReadError>| match result {
        Ok(_) => panic!("opened"),
        Err(err) => {
            assert!(!err.is_transient(), "{err}");
            err.to_string()
        }
    };
    insta::assert_snapshot!(
        refusal(PlainReader::open(&client, "nothing", 0, 0).await),
        @"topic nothing does not exist: create it, or correct its name in the config"
    );
    insta::assert_snapshot!(
        refusal(PlainReader::open(&client, TOPIC, 1, 0).await),
        @"topic ticks has no partition 1: it has 1, counted from 0"
    );
    insta::assert_snapshot!(
        refusal(PlainReader::open(&client, TOPIC, 0, 1).await),
        @"ticks/0 has no offset 1 yet: its log ends at 0; was the topic deleted and created again?"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn evicted_records_are_named_with_what_is_left() {
    let broker =
        TestBroker::start_with(|config| config.evict_interval = Duration::from_millis(20)).await;
    let client = broker.connect().await;
    let mut settings = TopicSettings::named(TOPIC);
    settings.segment_size_bytes = Some(1_000_000);
    settings.partition_size_bytes_max = Some(2_000_000);
    ensure_topic(&client, &settings).await.unwrap();
    fill(&broker, 30_000).await;
    let start = loop {
        let held = offsets(&client, TOPIC, 0).await.unwrap();
        if held.start > 0 {
            break held.start;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let Err(ReadError::OffsetEvicted {
        offset, log_start, ..
    }) = PlainReader::open(&client, TOPIC, 0, 0).await
    else {
        panic!("opened at an evicted offset");
    };
    assert_eq!(offset, 0);
    assert!(log_start >= start);
    assert!(matches!(
        read_range(&client, TOPIC, 0, 0..10).await,
        Err(ReadError::OffsetEvicted { .. })
    ));
}
