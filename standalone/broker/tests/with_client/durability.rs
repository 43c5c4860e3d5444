//! What was acknowledged is there after a stop, a kill, a torn write; and a data directory has one broker.

use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerError};
use fixtures::broker::{BrokerProcess, TestBroker};
use fixtures::patience::within;
use fluvio::metadata::topic::{TopicSpec, TopicStorageConfig};
use fluvio::{Compression, DeliverySemantic, RecordKey, TopicProducerConfigBuilder};
use futures_util::StreamExt;

use crate::support::{Clients, batch_values, connect, numbered, producer, stream, take, values};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_a_restart_across_segments() {
    let mut broker = TestBroker::start().await;
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig {
        segment_size: Some(5000),
        max_partition_size: None,
    });
    broker.create_topic_with("topic", spec).await;
    broker.produce("topic", numbered(2000)).await;
    assert!(std::fs::read_dir(broker.log_dir("topic")).unwrap().count() > 5);

    broker.restart().await;
    assert_eq!(broker.values("topic", 0).await, numbered(2000));
    broker.produce("topic", ["one more"]).await;
    broker.restart().await;
    let all = broker.values("topic", 0).await;
    assert_eq!((all.len(), all[2000].as_str()), (2001, "one more"));
    for from in [0, 700, 1999] {
        let mut stream = stream(broker.client(), "topic", from, vec![], false).await;
        let first = within(stream.next()).await.unwrap().unwrap();
        assert_eq!(
            batch_values(&first)[(from - first.base_offset) as usize],
            format!("record {from}")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_the_restart_and_goes_on_with_a_new_client() {
    let mut broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", numbered(100)).await;
    let mut stream = stream(broker.client(), "topic", 0, vec![], false).await;
    assert_eq!(take(&mut stream, 100).await, numbered(100));
    broker.stop().await;
    // The stream ends, with an error or without.
    let ended = within(stream.next()).await;
    assert!(!matches!(ended, Some(Ok(_))), "{ended:?}");

    broker.restart().await;
    broker.produce("topic", ["after"]).await;
    let mut stream = crate::support::stream(broker.client(), "topic", 100, vec![], false).await;
    assert_eq!(take(&mut stream, 1).await, ["after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_last_write_is_cut_off_wherever_it_was_torn() {
    let mut broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", ["kept"]).await;
    let log = broker.log_dir("topic").join("00000000000000000000.log");
    let kept = std::fs::metadata(&log).unwrap().len() as usize;
    broker.produce("topic", ["torn"]).await;
    broker.stop().await;
    let whole = std::fs::read(&log).unwrap();

    for torn in kept + 1..=whole.len() + 1 {
        let mut bytes = whole.clone();
        match torn.checked_sub(whole.len()) {
            None => bytes.truncate(torn),
            Some(0) => bytes[torn - 1] ^= 1, // All there, but the last byte is wrong.
            Some(_) => bytes.extend_from_slice(&[0; 100]), // Blocks were allocated, nothing was written.
        }
        std::fs::write(&log, &bytes).unwrap();
        broker.restart().await;
        let mut expected = vec!["kept"];
        expected.extend((torn > whole.len()).then_some("torn"));
        // One start in ten writes on; each start takes its time.
        if torn % 10 == 0 {
            broker.produce("topic", ["next"]).await;
            expected.push("next");
        }
        assert_eq!(broker.values("topic", 0).await, expected, "torn at {torn}");
        broker.stop().await;
    }
}

/// Not a test: the process that `acknowledged_records_survive_a_kill` kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a helper process of another test"]
async fn serve_until_killed() {
    fixtures::broker::serve().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..4 {
        let config = BrokerConfig::new(dir.path());
        let process = BrokerProcess::start("durability::serve_until_killed", &config);
        let client = connect(process.addr()).await;
        let mut process = Some(process);
        if round == 0 {
            client
                .admin()
                .await
                .create("topic".into(), false, TopicSpec::new_computed(1, 1, None))
                .await
                .unwrap();
        }
        let there = values(stream(&client, "topic", 0, vec![], true).await).await;
        assert!(
            there.len() >= acknowledged,
            "{} of {acknowledged} acknowledged are there",
            there.len()
        );
        assert_eq!(there, numbered(there.len()));
        if round == 3 {
            return;
        }
        acknowledged = there.len();
        let config = TopicProducerConfigBuilder::default()
            .delivery_semantic(DeliverySemantic::AtMostOnce)
            .compression([Compression::None, Compression::Lz4, Compression::Zstd][round])
            .batch_size(3000)
            .linger(Duration::ZERO)
            .build()
            .unwrap();
        let producer = client
            .topic_producer_with_config("topic", config)
            .await
            .unwrap();
        for n in there.len().. {
            let Ok(sent) = producer.send(RecordKey::NULL, format!("record {n}")).await else {
                break;
            };
            // Waiting for some leaves others on their way when the kill comes.
            if n % 7 == 0 && process.is_some() {
                match tokio::time::timeout(Duration::from_secs(2), sent.wait()).await {
                    Ok(Ok(sent)) => acknowledged = sent.offset() as usize + 1,
                    _ => break,
                }
            }
            if acknowledged > there.len() + 500
                && let Some(process) = process.take()
            {
                process.kill();
            }
            if n > there.len() + 600 {
                break;
            }
        }
        assert!(process.is_none(), "it must have been killed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_broker() {
    let mut broker = TestBroker::start().await;
    let config = BrokerConfig::new(broker.data_dir());
    let second = Broker::start(config.clone()).await.unwrap_err();
    assert!(matches!(second, BrokerError::InUse { .. }));
    assert!(
        second.to_string().starts_with("another broker is using"),
        "{second}"
    );
    broker.stop().await;
    Broker::start(config).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_said_to_be_in_use() {
    let broker = TestBroker::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path());
    config.listen = broker.addr();
    let error = Broker::start(config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is in use; stop what listens there, or choose another address",
            broker.addr()
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_formats_and_impossible_directories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("FORMAT"), "coinlake-broker 99\n").unwrap();
    let error = Broker::start(BrokerConfig::new(dir.path()))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another version ('coinlake-broker 99'"),
        "{error}"
    );

    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Broker::start(BrokerConfig::new(&file)).await.unwrap_err();
    assert!(matches!(error, BrokerError::DataDir { .. }), "{error}");

    // What a command prints: what to do, and once what the system said.
    let printed = format!("{:#}", anyhow::Error::from(error));
    assert!(printed.contains("; make it a folder"), "{printed}");
    assert_eq!(printed.matches("(os error ").count(), 1, "{printed}");
}

/// Whoever deletes the marker has data of this version, or of one that nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn data_without_its_marker_is_refused_as_such() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("meta.redb"), "").unwrap();
    let error = Broker::start(BrokerConfig::new(dir.path()))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no file FORMAT; restore it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_metadata_store_is_named_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let config = BrokerConfig::new(dir.path());
    Broker::start(config.clone()).await.unwrap().stop().await;
    let store = dir.path().join("meta.redb");
    std::fs::write(&store, "not a database").unwrap();
    let error = Broker::start(config).await.unwrap_err();
    let printed = format!("{:#}", anyhow::Error::from(error));
    assert!(printed.contains(store.to_str().unwrap()), "{printed}");
    assert!(printed.contains("check the disk"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_deleted_topics_do_not_come_back() {
    let mut broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let producer = producer(broker.client(), "topic", 1000, Compression::None).await;
    producer.send(RecordKey::NULL, "old").await.unwrap();
    producer.flush().await.unwrap();
    broker.stop().await;
    // As if the broker had died in the middle of a deletion, and of a creation.
    let log = broker.log_dir("topic");
    let leftover = broker.data_dir().join("logs/topic.77/0");
    std::fs::create_dir_all(&leftover).unwrap();
    std::fs::copy(
        log.join("00000000000000000000.log"),
        leftover.join("00000000000000000000.log"),
    )
    .unwrap();
    std::fs::remove_dir_all(log.parent().unwrap()).unwrap();
    broker.restart().await;
    assert!(!leftover.exists());
    assert_eq!(broker.values("topic", 0).await, Vec::<String>::new());
}
