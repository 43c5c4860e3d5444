//! How much, how fast: produce, consume and produce-to-consume latency through the published client over loopback.
//!
//! `cargo run --release -p broker --example round_trip [wasm file to run the records through]`

use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig};
use fluvio::consumer::{
    ConsumerConfig, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};
use fluvio::metadata::topic::{TopicSpec, TopicStorageConfig};
use fluvio::{
    Fluvio, FluvioClusterConfig, Isolation, Offset, RecordKey, TopicProducerConfigBuilder,
};
use futures_util::StreamExt;

const RECORDS: usize = 500_000;
const VALUE_BYTES: usize = 200;
const PINGS: usize = 5000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(BrokerConfig::new(dir.path())).await?;
    let client =
        Fluvio::connect_with_config(&FluvioClusterConfig::new(broker.addr().to_string())).await?;
    let mut spec = TopicSpec::new_computed(1, 1, None);
    spec.set_storage(TopicStorageConfig {
        segment_size: Some(16 * 1024 * 1024),
        max_partition_size: None,
    });
    for topic in ["bulk", "ping"] {
        client
            .admin()
            .await
            .create(topic.into(), false, spec.clone())
            .await?;
    }

    let value = "x".repeat(VALUE_BYTES);
    let started = Instant::now();
    let config = TopicProducerConfigBuilder::default()
        .batch_size(256 * 1024)
        .linger(Duration::from_millis(5))
        .build()?;
    let producer = client.topic_producer_with_config("bulk", config).await?;
    for _ in 0..RECORDS {
        producer.send("bitcoin", value.as_str()).await?;
    }
    producer.flush().await?;
    report("produce", started.elapsed());

    consume(&client, "consume", 20_000_000, vec![]).await?;
    if let Some(path) = std::env::args().nth(1) {
        let module = SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::adhoc_from_bytes(&std::fs::read(path)?)?,
            kind: SmartModuleKind::FilterMap,
            ..Default::default()
        };
        consume(
            &client,
            "consume through the module",
            64_000_000,
            vec![module],
        )
        .await?;
    }

    let config = TopicProducerConfigBuilder::default()
        .linger(Duration::ZERO)
        .build()?;
    let producer = client.topic_producer_with_config("ping", config).await?;
    let config = ConsumerConfig::builder()
        .isolation(Isolation::ReadCommitted)
        .build()?;
    #[expect(deprecated)]
    let consumer = client.partition_consumer("ping", 0).await?;
    let mut stream = consumer
        .stream_batches_with_config(Offset::beginning(), config)
        .await?;
    let (mut acknowledged, mut received) = (Vec::new(), Vec::new());
    for _ in 0..PINGS {
        let started = Instant::now();
        let sent = producer.send(RecordKey::NULL, "ping").await?;
        stream.next().await;
        received.push(started.elapsed());
        sent.wait().await?;
        acknowledged.push(started.elapsed());
    }
    for (what, mut times) in [("consumer", received), ("acknowledgement", acknowledged)] {
        times.sort_unstable();
        println!(
            "producer to {what}: p50 {:?}, p99 {:?}",
            times[PINGS / 2],
            times[PINGS * 99 / 100]
        );
    }
    broker.stop().await;
    Ok(())
}

async fn consume(
    client: &Fluvio,
    what: &str,
    max_bytes: i32,
    modules: Vec<SmartModuleInvocation>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let config = ConsumerConfig::builder()
        .max_bytes(max_bytes)
        .smartmodule(modules)
        .disable_continuous(true)
        .build()?;
    #[expect(deprecated)]
    let consumer = client.partition_consumer("bulk", 0).await?;
    let mut stream = Box::pin(
        consumer
            .stream_batches_with_config(Offset::beginning(), config)
            .await?,
    );
    let mut records = 0;
    while let Some(batch) = stream.next().await {
        records += batch?.records().len();
    }
    println!("{records} records came");
    report(what, started.elapsed());
    Ok(())
}

fn report(what: &str, took: Duration) {
    let records = RECORDS as f64 / took.as_secs_f64();
    let megabytes = records * VALUE_BYTES as f64 / 1e6;
    println!("{what}: {records:.0} records/s, {megabytes:.0} MB/s of values");
}
