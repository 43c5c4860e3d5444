//! The same promises on a genuine Fluvio cluster: `COINLAKE_TEST_CLUSTER` names its profile; without it these tests skip.
//! What they create is named after the process and deleted at the end.

use std::time::{Duration, Instant};

use connector_runtime::cluster::consumer_offset;
use connector_runtime::cluster::{Client, PartitionError};
use connector_runtime::config::Transform;
use connector_runtime::reader::{
    ModuleReader, PlainReader, ReadError, offsets, read_range, read_tail,
};
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use fixtures::{genuine, smartmodules, topic};
use fluvio::metadata::smartmodule::SmartModuleSpec;

use crate::support::{ACK_TIMEOUT, assert_exactly, numbered};

const RECORDS: usize = 300_000;

async fn client() -> Option<Client> {
    let Some((cluster, _)) = genuine::shared() else {
        println!("skipped: COINLAKE_TEST_CLUSTER names no profile of a genuine cluster");
        return None;
    };
    Some(cluster.connect().await.unwrap())
}

async fn new_topic(client: &Client, purpose: &str) -> String {
    let name = format!("{purpose}-{}", std::process::id());
    ensure_topic(client, &TopicSettings::named(&name))
        .await
        .unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_there_soon_after_another_was_deleted() {
    let Some(client) = client().await else { return };
    for round in 0..5 {
        let old = new_topic(&client, &format!("old-{round}")).await;
        let mut writer = TopicWriter::open(&client, &old, 0, ACK_TIMEOUT)
            .await
            .unwrap();
        writer.append(&numbered(0..10)).await.unwrap();
        topic::delete(&client, &old).await;
        let started = Instant::now();
        let new = new_topic(&client, &format!("new-{round}")).await;
        let created = started.elapsed();
        let mut writer = TopicWriter::open(&client, &new, 0, ACK_TIMEOUT)
            .await
            .unwrap();
        writer.append(&numbered(0..10)).await.unwrap();
        let mut reader = PlainReader::open(&client, &new, 0, 0).await.unwrap();
        assert_exactly(&reader.next().await.unwrap(), 0..10);
        println!("{round}: created in {created:?}");
        assert!(created < Duration::from_secs(20), "{created:?}");
        topic::delete(&client, &new).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_written_and_all_is_read() {
    let Some(client) = client().await else { return };
    for batch_records in [30, 400, 100_000] {
        let topic = new_topic(&client, &format!("plain-{batch_records}")).await;
        let mut writer = TopicWriter::open(&client, &topic, 0, ACK_TIMEOUT)
            .await
            .unwrap();
        let started = Instant::now();
        let records = if batch_records == 30 {
            RECORDS / 10
        } else {
            RECORDS
        };
        for start in (0..records).step_by(batch_records) {
            let end = records.min(start + batch_records);
            let offsets = writer.append(&numbered(start..end)).await.unwrap();
            assert_eq!(offsets, start as i64..end as i64);
        }
        println!(
            "{batch_records} a batch: written in {:?}",
            started.elapsed()
        );
        for max_bytes in [100_000, 1_000_000, 4_000_000, 20_000_000] {
            let started = Instant::now();
            let mut reader = PlainReader::open(&client, &topic, 0, 0)
                .await
                .unwrap()
                .with_max_bytes(max_bytes);
            let mut read = Vec::new();
            while read.len() < records {
                read.extend(reader.next().await.unwrap());
            }
            println!("    {max_bytes} an answer: read in {:?}", started.elapsed());
            assert_exactly(&read, 0..records);
        }
        let tail = read_tail(&client, &topic, 0).await.unwrap().unwrap();
        assert_exactly(&[tail], records - 1..records);
        let range = read_range(&client, &topic, 0, 777..12_345).await.unwrap();
        assert_exactly(&range, 777..12_345);
        assert_eq!(
            offsets(&client, &topic, 0).await.unwrap().end,
            records as i64
        );
        topic::delete(&client, &topic).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_keeps_up_with_writing() {
    let Some(client) = client().await else { return };
    let topic = new_topic(&client, "live").await;
    let mut writer = TopicWriter::open(&client, &topic, 0, ACK_TIMEOUT)
        .await
        .unwrap();
    let writing = tokio::spawn(async move {
        for start in (0..20_000).step_by(10) {
            writer.append(&numbered(start..start + 10)).await.unwrap();
        }
    });
    let mut reader = PlainReader::open(&client, &topic, 0, 0)
        .await
        .unwrap()
        .with_max_bytes(2_000);
    let mut read = Vec::new();
    while read.len() < 20_000 {
        read.extend(reader.next().await.unwrap());
    }
    writing.await.unwrap();
    assert_exactly(&read, 0..20_000);
    topic::delete(&client, &topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_mean_what_they_say_and_progress_shows() {
    let Some(client) = client().await else { return };
    let topic = new_topic(&client, "errors").await;
    let mut writer = TopicWriter::open(&client, &topic, 0, ACK_TIMEOUT)
        .await
        .unwrap();
    writer.append(&numbered(0..100)).await.unwrap();

    let missing = PlainReader::open(&client, "no-such-topic", 0, 0).await;
    assert!(matches!(
        missing.err(),
        Some(ReadError::Partition(PartitionError::TopicMissing { .. }))
    ));
    let missing = PlainReader::open(&client, &topic, 7, 0).await;
    assert!(matches!(
        missing.err(),
        Some(ReadError::Partition(PartitionError::PartitionMissing {
            count: 1,
            ..
        }))
    ));
    let beyond = PlainReader::open(&client, &topic, 0, 101).await;
    assert!(matches!(
        beyond.err(),
        Some(ReadError::OffsetBeyondEnd { .. })
    ));
    let module = Transform {
        uses: "no-such-module".to_owned(),
        with: Default::default(),
        lookback: None,
    };
    let mut reader = ModuleReader::open(&client, &topic, 0, 0, vec![module.invocation()])
        .await
        .unwrap();
    let err = reader.next().await.unwrap_err();
    assert!(matches!(err, ReadError::ModuleMissing { .. }), "{err:?}");

    let store = consumer_offset::store(&client, "real-test", &topic, 0, 42);
    store.await.unwrap();
    let stored = client.consumer_offsets().await.unwrap();
    assert!(
        stored
            .iter()
            .any(|it| it.consumer_id == "real-test" && it.topic == topic && it.offset == 42),
        "{stored:?}"
    );
    topic::delete(&client, &topic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_answer_every_input_once_and_in_order() {
    let Some(client) = client().await else { return };
    let topic = new_topic(&client, "modules").await;
    let name = format!("clean-{}", std::process::id());
    topic::create_smartmodule(&client, &name, &smartmodules::wasm("crypto-clean")).await;
    let module = Transform {
        uses: name.clone(),
        with: [("emit".to_owned(), "all".to_owned())].into(),
        lookback: None,
    };

    const INPUTS: usize = 100_000;
    let mut writer = TopicWriter::open(&client, &topic, 0, ACK_TIMEOUT)
        .await
        .unwrap();
    writer.append(&numbered(0..INPUTS / 2)).await.unwrap();
    for from in [0, 777] {
        let mut reader = loop {
            // A new module reaches the SPU a little later.
            let modules = vec![module.invocation()];
            let mut reader = ModuleReader::open(&client, &topic, 0, from, modules)
                .await
                .unwrap();
            match reader.next().await {
                Ok(first) => break (reader, first),
                Err(ReadError::ModuleMissing { .. }) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(err) => panic!("{err}"),
            }
        };
        if from == 0 {
            writer.append(&numbered(INPUTS / 2..INPUTS)).await.unwrap();
        }
        let started = Instant::now();
        let mut next = from;
        let mut outputs = std::mem::take(&mut reader.1);
        loop {
            for output in outputs {
                let value: serde_json::Value = serde_json::from_slice(&output.value).unwrap();
                let source_offset = value["source_offset"].as_i64().unwrap();
                // The whole first batch is processed, whatever offset was asked for.
                if source_offset >= from {
                    assert_eq!(source_offset, next);
                    next += 1;
                }
            }
            if next == INPUTS as i64 {
                break;
            }
            outputs = reader.0.next().await.unwrap();
        }
        println!("from {from}: read in {:?}", started.elapsed());
    }
    let admin = client.admin().await;
    admin.delete::<SmartModuleSpec>(name).await.unwrap();
    topic::delete(&client, &topic).await;
}
