//! SmartModules in streams and in produce requests.

use std::time::Duration;

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fluvio::consumer::{SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind};
use fluvio::dataplane::link::ErrorCode;
use fluvio::{Compression, RecordKey, TopicProducerConfigBuilder};
use fluvio_smartmodule::dataplane::smartmodule::Lookback;
use futures_util::StreamExt;

use crate::support::{
    Clients, batch_values, module, numbered, producer, stream, stream_with, take, values, wat,
};

#[tokio::test(flavor = "multi_thread")]
async fn named_and_ad_hoc_modules_and_chains_process_a_stream() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("pass", &wat::pass_all()).await;
    broker.produce("topic", numbered(3000)).await;
    let ad_hoc = SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::adhoc_from_bytes(
            &wat::parse_str(&wat::pass_all()).unwrap(),
        )
        .unwrap(),
        kind: SmartModuleKind::FilterMap,
        ..Default::default()
    };
    for modules in [
        vec![module("pass")],
        vec![ad_hoc.clone()],
        vec![module("pass"), ad_hoc, module("pass")],
    ] {
        let stream = stream(broker.client(), "topic", 0, modules, true).await;
        assert_eq!(values(stream).await, numbered(3000));
    }
    // Each is told apart, and how long it took.
    let times = broker.broker().chain_times();
    for chain in [
        &["pass"] as &[_],
        &["unnamed"],
        &["pass", "unnamed", "pass"],
    ] {
        let time = times.of(chain).unwrap();
        assert_eq!(time.records, 3000, "{chain:?}");
        assert!(!time.busy.is_zero(), "{chain:?}");
    }
    assert_eq!(times.of(&["another"]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_goes_through_a_module() {
    let broker = TestBroker::start().await;
    broker.create_module("pass", &wat::pass_all()).await;
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let topic = format!("codec-{codec}");
        broker.create_topic(&topic, 1).await;
        let producer = producer(broker.client(), &topic, 1000, codec).await;
        for value in numbered(200) {
            producer.send("key", value).await.unwrap();
        }
        producer.flush().await.unwrap();
        let stream = stream(broker.client(), &topic, 0, vec![module("pass")], true).await;
        assert_eq!(values(stream).await, numbered(200), "{codec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_yields_nothing_skips_nothing() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("none", &wat::pass_none()).await;
    broker.create_module("later", &wat::pass_after(40)).await;
    broker.produce("topic", numbered(5000)).await;

    // A stream that ends at the end of the log ends, though no record ever came.
    let none = stream(broker.client(), "topic", 0, vec![module("none")], true).await;
    assert_eq!(values(none).await, Vec::<String>::new());

    // What comes after forty batches that yield nothing is all there.
    let mut all = stream(broker.client(), "topic", 0, vec![], false).await;
    let mut batches = Vec::new();
    while batches.iter().map(Vec::len).sum::<usize>() < 5000 {
        batches.push(batch_values(&within(all.next()).await.unwrap().unwrap()));
    }
    assert!(batches.len() > 40);
    let later = stream_with(broker.client(), "topic", 0, 0, |config| {
        config.smartmodule = vec![module("later")];
        config.max_bytes = 3000;
        config.disable_continuous = true;
    });
    assert_eq!(values(later.await).await, batches[40..].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_above_max_bytes_arrive_once() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("pass", &wat::pass_all()).await;
    broker.produce("topic", numbered(5000)).await;
    let small = stream_with(broker.client(), "topic", 0, 0, |config| {
        config.smartmodule = vec![module("pass")];
        config.max_bytes = 100;
        config.disable_continuous = true;
    });
    assert_eq!(values(small.await).await, numbered(5000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_opened_inside_a_batch_processes_it_from_there() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("pass", &wat::pass_all()).await;
    for codec in [Compression::None, Compression::Lz4] {
        let producer = producer(broker.client(), "topic", 100_000, codec).await;
        for value in numbered(10) {
            producer.send(RecordKey::NULL, value).await.unwrap();
        }
        producer.flush().await.unwrap();
    }
    for from in [7, 17] {
        let mut stream = stream(broker.client(), "topic", from, vec![module("pass")], false).await;
        let first = within(stream.next()).await.unwrap().unwrap();
        assert_eq!(
            (first.base_offset, batch_values(&first)[0].as_str()),
            (from, "record 7")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_records_are_processed_as_they_come_by_the_same_module() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("later", &wat::pass_after(2)).await;
    let mut stream = stream(broker.client(), "topic", 0, vec![module("later")], false).await;
    let third = tokio::spawn(async move { take(&mut stream, 1).await });
    for value in ["first", "second", "third"] {
        broker.produce("topic", [value]).await;
    }
    assert_eq!(within(third).await.unwrap(), ["third"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_look_back_by_count_and_by_age() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker
        .create_module("two", &wat::pass_after_look_back(2))
        .await;
    broker
        .create_module("all", &wat::pass_after_look_back(1000))
        .await;
    broker.produce("topic", numbered(1000)).await;
    let hour = Duration::from_secs(3600);
    for (name, look_back, passes) in [
        ("two", Some(Lookback::last(2)), true),
        ("two", Some(Lookback::last(3)), false),
        ("two", Some(Lookback::age(hour, Some(2))), true),
        ("all", Some(Lookback::age(hour, None)), true),
        ("all", Some(Lookback::last(5000)), true),
        ("all", Some(Lookback::age(Duration::ZERO, None)), false),
        ("two", None, false),
    ] {
        let mut module = module(name);
        module.params.set_lookback(look_back.clone());
        let stream = stream(broker.client(), "topic", 990, vec![module], true).await;
        let expected = if passes {
            numbered(1000)[990..].to_vec()
        } else {
            Vec::new()
        };
        assert_eq!(values(stream).await, expected, "{name} {look_back:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn module_errors_are_told() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("fails", &wat::fail()).await;
    broker.produce("topic", numbered(3)).await;
    let mut unknown = stream(broker.client(), "topic", 0, vec![module("unknown")], false).await;
    let error = within(unknown.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, ErrorCode::SmartModuleNotFound { name } if name == "unknown"));
    let mut fails = stream(broker.client(), "topic", 0, vec![module("fails")], false).await;
    within(fails.next()).await.unwrap().unwrap_err();
    broker.create_module("grows", &wat::grow()).await;
    let mut grows = stream(broker.client(), "topic", 0, vec![module("grows")], false).await;
    let error = within(grows.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, ErrorCode::SmartModuleMemoryLimitExceeded { .. }),
        "{error:?}"
    );
    let garbage = SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::adhoc_from_bytes(b"not wasm").unwrap(),
        ..Default::default()
    };
    let mut garbage = stream(broker.client(), "topic", 0, vec![garbage], false).await;
    let error = within(garbage.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, ErrorCode::SmartModuleChainInitError(_)),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_can_have_its_records_transformed() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.create_module("pass", &wat::pass_all()).await;
    broker.create_module("none", &wat::pass_none()).await;
    broker.create_module("fails", &wat::fail()).await;
    for (name, written) in [("pass", 3), ("none", 3), ("fails", 3), ("pass", 6)] {
        let config = TopicProducerConfigBuilder::default()
            .smartmodules(vec![module(name)])
            .build()
            .unwrap();
        let producer = broker
            .client()
            .topic_producer_with_config("topic", config)
            .await
            .unwrap();
        for value in numbered(3) {
            producer.send(RecordKey::NULL, value).await.unwrap();
        }
        within(producer.flush()).await.unwrap();
        assert_eq!(broker.values("topic", 0).await.len(), written, "{name}");
    }
}
