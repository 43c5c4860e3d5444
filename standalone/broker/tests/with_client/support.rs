//! Short ways to do what clients do.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fixtures::topic;
use fluvio::consumer::{
    ConsumerConfig, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};
use fluvio::dataplane::link::ErrorCode;
use fluvio::dataplane::record::Batch;
use fluvio::{
    Compression, Fluvio, FluvioClusterConfig, Offset, RecordKey, TopicProducerConfigBuilder,
    TopicProducerPool,
};
use futures_util::{Stream, StreamExt};

/// What a stream yields.
pub(crate) type Batches = Pin<Box<dyn Stream<Item = Result<Batch, ErrorCode>> + Send>>;

/// Short ways to do what clients do.
pub(crate) trait Clients {
    /// Registers a module in text.
    async fn create_module(&self, name: &str, wat: &str);

    async fn produce(&self, topic: &str, values: impl IntoIterator<Item = impl Into<String>>);

    /// The values of the records `from ..` there are now.
    async fn values(&self, topic: &str, from: i64) -> Vec<String>;

    /// Where the log of a topic's one partition is.
    fn log_dir(&self, topic: &str) -> PathBuf;
}

impl Clients for TestBroker {
    async fn create_module(&self, name: &str, wat: &str) {
        topic::create_smartmodule(self.client(), name, &wat::parse_str(wat).unwrap()).await;
    }

    async fn produce(&self, topic: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        produce(self.client(), topic, values).await;
    }

    async fn values(&self, topic: &str, from: i64) -> Vec<String> {
        values(stream(self.client(), topic, from, vec![], true).await).await
    }

    fn log_dir(&self, topic: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.data_dir().join("logs")).unwrap();
        let mut dirs = entries.map(|entry| entry.unwrap().path());
        let prefix = format!("{topic}.");
        let is_the_topics = |dir: &PathBuf| {
            let name = dir.file_name().unwrap().to_str().unwrap();
            name.starts_with(&prefix)
        };
        dirs.find(is_the_topics).unwrap().join("0")
    }
}

pub(crate) async fn connect(addr: SocketAddr) -> Fluvio {
    Fluvio::connect_with_config(&FluvioClusterConfig::new(addr.to_string()))
        .await
        .unwrap()
}

pub(crate) async fn producer(
    client: &Fluvio,
    topic: &str,
    batch_size: usize,
    compression: Compression,
) -> TopicProducerPool {
    let config = TopicProducerConfigBuilder::default()
        .batch_size(batch_size)
        .compression(compression)
        // Batches go when they are full or flushed, so that the same records make the same batches on any machine.
        .linger(Duration::from_secs(60))
        .build()
        .unwrap();
    client
        .topic_producer_with_config(topic, config)
        .await
        .unwrap()
}

pub(crate) async fn produce(
    client: &Fluvio,
    topic: &str,
    values: impl IntoIterator<Item = impl Into<String>>,
) {
    let producer = producer(client, topic, 1000, Compression::None).await;
    let mut sent = Vec::new();
    for value in values {
        sent.push(producer.send(RecordKey::NULL, value.into()).await.unwrap());
    }
    producer.flush().await.unwrap();
    for sent in sent {
        sent.wait().await.unwrap();
    }
}

pub(crate) async fn stream(
    client: &Fluvio,
    topic: &str,
    from: i64,
    modules: Vec<SmartModuleInvocation>,
    to_the_end_only: bool,
) -> Batches {
    stream_with(client, topic, 0, from, move |config| {
        config.disable_continuous = to_the_end_only;
        config.smartmodule = modules;
    })
    .await
}

pub(crate) async fn stream_with(
    client: &Fluvio,
    topic: &str,
    partition: u32,
    from: i64,
    configure: impl FnOnce(&mut ConsumerConfig),
) -> Batches {
    let mut config = ConsumerConfig::builder()
        .max_bytes(1_000_000)
        .build()
        .unwrap();
    configure(&mut config);
    #[expect(deprecated)]
    let consumer = client.partition_consumer(topic, partition).await.unwrap();
    let offset = Offset::absolute(from).unwrap();
    Box::pin(
        consumer
            .stream_batches_with_config(offset, config)
            .await
            .unwrap(),
    )
}

/// All values of a stream that ends.
pub(crate) async fn values(stream: Batches) -> Vec<String> {
    let batches: Vec<_> = within(stream.collect()).await;
    batches
        .into_iter()
        .flat_map(|batch| batch_values(&batch.unwrap()))
        .collect()
}

/// The next `count` values of a stream.
pub(crate) async fn take(stream: &mut Batches, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        let batch = within(stream.next())
            .await
            .expect("the stream ended")
            .unwrap();
        values.extend(batch_values(&batch));
    }
    values
}

pub(crate) fn batch_values(batch: &Batch) -> Vec<String> {
    batch
        .records()
        .iter()
        .map(|record| record.value().as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("record {n}")).collect()
}

pub(crate) fn module(name: &str) -> SmartModuleInvocation {
    SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::Predefined(name.into()),
        kind: SmartModuleKind::FilterMap,
        ..Default::default()
    }
}

/// Modules in text. Input: base offset (8 bytes), length of the records (4), the records, base timestamp (8).
/// Output: the records, then 0 for "no error". Records start with their count (4).
pub(crate) mod wat {
    pub(crate) fn parse_str(wat: &str) -> Result<Vec<u8>, ::wat::Error> {
        ::wat::parse_str(wat)
    }

    fn module(functions: &str) -> String {
        format!(
            r#"(module
            (import "env" "copy_records" (func $copy_records (param i32 i32)))
            (memory (export "memory") 1100)
            (global $seen (mut i32) (i32.const 0))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024))
            (func $be (param $at i32) (result i32)
                (i32.or (i32.or
                    (i32.shl (i32.load8_u (local.get $at)) (i32.const 24))
                    (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 16)))
                    (i32.or
                    (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8))
                    (i32.load8_u offset=3 (local.get $at)))))
            (func $all (param $input i32) (result i32)
                (local $len i32)
                (local.set $len (call $be (i32.add (local.get $input) (i32.const 8))))
                (i32.store8 (i32.add (i32.add (local.get $input) (i32.const 12)) (local.get $len)) (i32.const 0))
                (call $copy_records (i32.add (local.get $input) (i32.const 12)) (i32.add (local.get $len) (i32.const 1)))
                (call $be (i32.add (local.get $input) (i32.const 12))))
            (func $none (result i32)
                (i64.store (i32.const 0) (i64.const 0))
                (call $copy_records (i32.const 0) (i32.const 5))
                (i32.const 0))
            {functions})"#
        )
    }

    /// Everything that came in.
    pub(crate) fn pass_all() -> String {
        module(
            r#"(func (export "filter_map") (param i32 i32 i32) (result i32) (call $all (local.get 0)))"#,
        )
    }

    /// Nothing.
    pub(crate) fn pass_none() -> String {
        module(r#"(func (export "filter_map") (param i32 i32 i32) (result i32) (call $none))"#)
    }

    /// Everything, once it was shown exactly `count` records by look_back; else nothing.
    pub(crate) fn pass_after_look_back(count: usize) -> String {
        module(&format!(
            r#"(func (export "look_back") (param i32 i32 i32) (result i32)
                (global.set $seen (call $be (i32.add (local.get 0) (i32.const 12)))) (i32.const 0))
            (func (export "filter_map") (param i32 i32 i32) (result i32)
                (if (result i32) (i32.eq (global.get $seen) (i32.const {count}))
                    (then (call $all (local.get 0))) (else (call $none))))"#
        ))
    }

    /// Nothing the first `batches` times, then everything: a module with state.
    pub(crate) fn pass_after(batches: usize) -> String {
        module(&format!(
            r#"(func (export "filter_map") (param i32 i32 i32) (result i32)
                (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
                (if (result i32) (i32.gt_s (global.get $seen) (i32.const {batches}))
                    (then (call $all (local.get 0))) (else (call $none))))"#
        ))
    }

    /// Wants two gigabytes.
    pub(crate) fn grow() -> String {
        module(
            r#"(func (export "filter_map") (param i32 i32 i32) (result i32) (memory.grow (i32.const 32768)))"#,
        )
    }

    /// Always fails.
    pub(crate) fn fail() -> String {
        module(r#"(func (export "filter_map") (param i32 i32 i32) (result i32) (i32.const -1))"#)
    }
}
