//! A broker, a lake, a market and ways to look at what came out.
//!
//! Every test has an embedded broker of its own, or, where `COINLAKE_TEST_CLUSTER` names the profile of a genuine Fluvio
//! cluster, topics and SmartModules of its own on that cluster, deleted at the end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broker::Faults;
use bytes::Bytes;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::Observed as _;
use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::TopicWriter;
use faults::{Listening, Network, Proxy};
use fixtures::broker::TestBroker;
use fixtures::patience::within;
pub(crate) use fixtures::patience::{PATIENCE, eventually};
use fixtures::{genuine, rows, smartmodules, topic};
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::topic::TopicSpec;
use lake::{CommitStamp, Lake};
use parquet_sink::envelope::source_offset;
use parquet_sink::failpoints::Failpoints;
use parquet_sink::{SECTION, StageConfig, StageStatus, run_with};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Platform {
    pub cluster: Cluster,
    pub data: TempDir,
    broker: Option<TestBroker>,
    /// Behind the name of every topic and SmartModule on a cluster that the tests share.
    suffix: String,
    /// Between clients and the broker, if there is one.
    pub proxy: Option<Proxy>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        match genuine::shared() {
            Some((cluster, _)) => Self::genuine(cluster),
            None => Self::embedded().await,
        }
    }

    /// On a genuine Fluvio cluster.
    fn genuine(cluster: Cluster) -> Self {
        static TESTS: AtomicUsize = AtomicUsize::new(0);
        show_logs();
        let test = TESTS.fetch_add(1, Ordering::Relaxed);
        Self {
            cluster,
            data: TempDir::new().unwrap(),
            broker: None,
            suffix: format!("-{}-{test}t", std::process::id()),
            proxy: None,
        }
    }

    /// On a broker that can be restarted.
    pub(crate) async fn embedded() -> Self {
        Self::embedded_with(Faults::default()).await
    }

    /// On a broker that misbehaves as told.
    pub(crate) async fn embedded_with(faults: Faults) -> Self {
        show_logs();
        let broker = TestBroker::start_with(|config| config.faults = faults).await;
        Self {
            cluster: broker.cluster(),
            data: TempDir::new().unwrap(),
            broker: Some(broker),
            suffix: String::new(),
            proxy: None,
        }
    }

    /// Where the embedded broker listens.
    pub(crate) fn broker_addr(&self) -> SocketAddr {
        self.broker.as_ref().unwrap().addr()
    }

    /// What a topic or SmartModule of this test is called on its cluster.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// Puts a network between the broker and everybody who comes from now on. Without `whole` only between the broker as SC:
    /// streams and appends go past it.
    pub(crate) async fn behind(mut self, network: Network, whole: bool, seed: u64) -> Self {
        let listening = Listening::start().await.unwrap();
        let met_at = listening.addr().unwrap();
        let broker = self.broker.as_mut().unwrap();
        let advertise = whole.then(|| (met_at.ip().to_string(), met_at.port()));
        broker
            .restart_with(|config| config.advertise = advertise)
            .await;
        self.proxy = Some(listening.forward(broker.addr(), network, seed));
        self.cluster = Cluster::at(met_at);
        self
    }

    /// Stops the broker and starts it again, on the same port.
    pub(crate) async fn restart_broker_after(&mut self, meanwhile: impl AsyncFnOnce()) {
        let broker = self.broker.as_mut().unwrap();
        broker.stop().await;
        meanwhile().await;
        broker.restart().await;
    }

    pub(crate) async fn client(&self) -> Client {
        self.cluster.connect().await.unwrap()
    }

    /// Where the stages of a trial land their rows.
    pub(crate) fn lake_path(&self, trial: &str) -> PathBuf {
        self.data.path().join(format!("lake-{trial}"))
    }

    pub(crate) fn lake(&self, trial: &str) -> Lake {
        Lake::open_str(self.lake_path(trial).to_str().unwrap(), []).unwrap()
    }

    /// Registers a built SmartModule under `name`; other `padding`, other content, same behaviour.
    pub(crate) async fn module(&self, name: &str, file: &str, padding: &[u8]) {
        let mut wasm = smartmodules::wasm(file);
        if !padding.is_empty() {
            // A custom section: id 0, its size, a name, anything.
            wasm.extend([0, u8::try_from(padding.len() + 2).unwrap(), 1, b'x']);
            wasm.extend(padding);
        }
        self.put_module(name, &wasm).await;
    }

    /// Registers a SmartModule under `name`, in the place of any before.
    pub(crate) async fn put_module(&self, name: &str, wasm: &[u8]) {
        topic::create_smartmodule(&self.client().await, &self.name(name), wasm).await;
    }

    pub(crate) fn is_genuine(&self) -> bool {
        self.broker.is_none()
    }

    pub(crate) async fn topic(&self, name: &str, partitions: u32) {
        let topic = TopicSettings::named(self.name(name)).with_partitions(partitions);
        ensure_topic(&self.client().await, &topic).await.unwrap();
    }

    pub(crate) async fn delete_topic(&self, name: &str) {
        topic::delete(&self.client().await, &self.name(name)).await;
    }

    pub(crate) async fn produce(&self, topic: &str, partition: u32, records: &[Outgoing]) {
        let client = self.client().await;
        let mut writer = TopicWriter::open(&client, &self.name(topic), partition, PATIENCE)
            .await
            .unwrap();
        // Several batches, so that streams have several answers.
        for some in records.chunks(97) {
            writer.append(some).await.unwrap();
        }
    }

    pub(crate) async fn end(&self, topic: &str, partition: u32) -> i64 {
        let client = self.client().await;
        reader::offsets(&client, &self.name(topic), partition)
            .await
            .unwrap()
            .end
    }

    /// A stage's configuration for a trial: same input, its own lake and output topics.
    pub(crate) fn config(&self, trial: &str, text: &str) -> StageConfig {
        let mut config = StageConfig::from_yaml(text, SECTION, &Secrets::none()).unwrap();
        config.settings.lake = self.lake_path(trial).to_str().unwrap().to_owned();
        config.meta.topic.name = self.name(&config.meta.topic.name);
        for transform in &mut config.transforms {
            transform.uses = self.name(&transform.uses);
        }
        for destination in &mut config.settings.destinations {
            if let Some(topic) = &mut destination.topic {
                *topic = self.name(&format!("{topic}-{trial}"));
            }
        }
        config
    }

    pub(crate) fn start_stage(&self, config: StageConfig) -> RunningStage {
        self.start_stage_with(config, Failpoints::default())
    }

    pub(crate) fn start_stage_with(
        &self,
        config: StageConfig,
        failpoints: Failpoints,
    ) -> RunningStage {
        let stop = CancellationToken::new();
        let status = Arc::new(StageStatus::default());
        let (cluster, stopped, told) = (self.cluster.clone(), stop.clone(), status.clone());
        RunningStage {
            status,
            stop,
            task: tokio::spawn(async move {
                run_with(config, cluster, stopped, told, failpoints).await
            }),
        }
    }

    /// Runs a stage until it has handled all of `topic`, then stops it in order.
    pub(crate) async fn run_to_end(&self, config: StageConfig) {
        let inputs = self.inputs(&config).await;
        let stage = self.start_stage(config);
        stage.handles(inputs).await;
        stage.stops().await.unwrap();
    }

    /// Runs a stage until it has handled its whole input and was stopped, or until something ended it.
    pub(crate) async fn run_or_end(
        &self,
        config: StageConfig,
        failpoints: Failpoints,
    ) -> (Arc<StageStatus>, anyhow::Result<()>) {
        let inputs = self.inputs(&config).await;
        let mut stage = self.start_stage_with(config, failpoints);
        let status = stage.status.clone();
        let ended = tokio::select! {
            ended = &mut stage.task => ended.unwrap(),
            () = eventually("the stage handles its inputs", || async {
                status.next_input() >= inputs
            }) => stage.stops().await,
        };
        (status, ended)
    }

    pub(crate) async fn inputs(&self, config: &StageConfig) -> i64 {
        let topic = &config.meta.topic.name;
        let client = self.client().await;
        let count = connector_runtime::topic::partition_count(&client, topic)
            .await
            .unwrap();
        let mut inputs = 0;
        for partition in 0..count {
            inputs += reader::offsets(&client, topic, partition)
                .await
                .unwrap()
                .end;
        }
        inputs
    }

    /// All rows of a table as text, in order of partition and offset.
    pub(crate) async fn rows(&self, trial: &str, table: &str) -> Vec<String> {
        rows_in(&self.lake(trial), table).await
    }

    /// The stamps of the commits in a table's log, in order.
    pub(crate) fn stamps(&self, trial: &str, table: &str) -> Vec<CommitStamp> {
        let log = self.lake_path(trial).join(table).join("_delta_log");
        let entries = std::fs::read_dir(log).into_iter().flatten();
        let entries = entries.map(|entry| entry.unwrap().path());
        let mut entries: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|found| found == "json"))
            .collect();
        entries.sort();
        let mut stamps = Vec::new();
        for entry in entries {
            for line in std::fs::read_to_string(entry).unwrap().lines() {
                let action: Value = serde_json::from_str(line).unwrap();
                let domain = &action["domainMetadata"];
                // The stamp's domain is named by stage, topic and partition.
                if domain["domain"]
                    .as_str()
                    .is_some_and(|name| name.contains('/'))
                {
                    let stamp = domain["configuration"].as_str().unwrap();
                    stamps.push(serde_json::from_str(stamp).unwrap());
                }
            }
        }
        stamps
    }

    /// What a reader of a derived topic goes by: doubles ignored.
    pub(crate) async fn derived(&self, topic: &str, partition: u32) -> Vec<(i64, Bytes)> {
        let client = self.client().await;
        let mut greatest = -1;
        let mut seen = Vec::new();
        for record in topic::records(&client, &self.name(topic), partition).await {
            let from = source_offset(&record.value).unwrap();
            if from > greatest {
                greatest = from;
                seen.push((from, record.value));
            }
        }
        seen
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if self.suffix.is_empty() {
            return;
        }
        let (cluster, suffix) = (self.cluster.clone(), self.suffix.clone());
        // A runtime cannot be entered from within another one.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(delete_all(&cluster, &suffix));
        });
        if cleaning.join().is_err() {
            eprintln!(
                "topics and SmartModules may be left whose names end in {suffix}",
                suffix = self.suffix
            );
        }
    }
}

/// Deletes the topics and SmartModules whose names end so.
async fn delete_all(cluster: &Cluster, suffix: &str) {
    let client = cluster.connect().await.unwrap();
    let admin = client.admin().await;
    for topic in admin.all::<TopicSpec>().await.unwrap() {
        if topic.name.ends_with(suffix) {
            admin.delete::<TopicSpec>(topic.name).await.unwrap();
        }
    }
    for module in admin.all::<SmartModuleSpec>().await.unwrap() {
        // A package has its version behind its name.
        if module.name.contains(suffix) {
            admin.delete::<SmartModuleSpec>(module.name).await.unwrap();
        }
    }
}

/// `RUST_LOG=info cargo test … -- --nocapture` shows what a stage does.
fn show_logs() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

/// All rows that count in a table as text, in order of partition and offset, each with the date of its file before the
/// lineage columns.
pub(crate) async fn rows_in(lake: &Lake, table: &str) -> Vec<String> {
    let Some(snapshot) = lake.table(table).snapshot().await.unwrap() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for file in snapshot.files() {
        let contents = lake.read(&file.path).await.unwrap();
        let in_file = rows::in_order(contents);
        assert_eq!(in_file.len() as u64, file.rows, "rows of {}", file.path);
        for row in in_file {
            let mut values: Vec<String> = row.into_iter().map(|(_, value)| value).collect();
            let lineage = values.len() - 3;
            let number = |i: usize| values[lineage + i].parse::<i64>().unwrap();
            let place = (number(1), number(2));
            let date = file.date.clone().unwrap_or_else(|| "null".to_owned());
            values.insert(lineage, date);
            rows.push((place, values.join(" | ")));
        }
    }
    assert_eq!(rows.len() as u64, snapshot.rows(), "rows of {table}");
    rows.sort();
    rows.into_iter().map(|(_, row)| row).collect()
}

pub(crate) struct RunningStage {
    pub status: Arc<StageStatus>,
    pub stop: CancellationToken,
    pub task: JoinHandle<anyhow::Result<()>>,
}

impl RunningStage {
    /// Waits until so many inputs lie behind it.
    pub(crate) async fn handles(&self, inputs: i64) {
        eventually("the stage handles its inputs", || async {
            let alive = self.status.alive();
            assert!(!self.task.is_finished(), "the stage ended early: {alive:?}");
            self.status.next_input() >= inputs
        })
        .await;
    }

    /// Stops it in order.
    pub(crate) async fn stops(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ends().await
    }

    /// Waits for its end.
    pub(crate) async fn ends(self) -> anyhow::Result<()> {
        within(self.task).await.unwrap()
    }
}

/// Milliseconds of 2025-06-01T22:00Z: two hours of minutes cross into the next day.
pub(crate) const EVENING_MS: i64 = 1_748_815_200_000;
pub(crate) const COINS: [&str; 3] = ["bitcoin", "ethereum", "tether"];

/// Minutes of a market in CoinGecko's shape, with bad payloads, doubles and a price spike every now and then.
pub(crate) fn market(minutes: i64) -> Vec<Outgoing> {
    market_between(0..minutes)
}

/// A part of that market.
pub(crate) fn market_between(minutes: std::ops::Range<i64>) -> Vec<Outgoing> {
    let mut records = Vec::new();
    for minute in minutes {
        for (i, coin) in COINS.iter().enumerate() {
            let spike = if minute % 45 == 44 { 1.2 } else { 1.0 };
            let price = (100.0 + ((minute * 7 + i as i64 * 13) % 17) as f64 / 10.0) * spike;
            let updated = jiff::Timestamp::from_millisecond(EVENING_MS + minute * 60_000).unwrap();
            let tick = format!(
                r#"{{"id":"{coin}","symbol":"{}","current_price":{price},"market_cap":1e9,"total_volume":{},"price_change_percentage_24h":0.5,"last_updated":"{updated:.3}"}}"#,
                &coin[..3],
                1_000_000 + minute * 10,
            );
            records.push(outgoing(coin, &tick));
            if (minute + i as i64) % 11 == 0 {
                records.push(outgoing(coin, &tick));
            }
            if (minute + i as i64) % 13 == 0 {
                records.push(outgoing(coin, r#"{"id":"broken"#));
            }
        }
    }
    records
}

pub(crate) fn outgoing(key: &str, value: &str) -> Outgoing {
    Outgoing {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

/// What a stage made, to be compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    pub layers: BTreeMap<String, Vec<String>>,
    pub topics: BTreeMap<String, Vec<(i64, Bytes)>>,
}

impl Platform {
    /// What the stages of a trial made.
    pub(crate) async fn landed(&self, trial: &str, stage: &Made) -> Landed {
        let mut landed = Landed {
            layers: BTreeMap::new(),
            topics: BTreeMap::new(),
        };
        for layer in stage.layers {
            landed
                .layers
                .insert((*layer).to_owned(), self.rows(trial, layer).await);
        }
        for topic in stage.topics {
            for partition in 0..stage.partitions {
                let records = self.derived(&format!("{topic}-{trial}"), partition).await;
                landed
                    .topics
                    .insert(format!("{topic}/{partition}"), records);
            }
        }
        landed
    }
}

/// Says where they part.
#[track_caller]
pub(crate) fn assert_same(landed: &Landed, golden: &Landed, what: &str) {
    for (layer, rows) in &golden.layers {
        compare(
            &format!("{what}: table {layer}"),
            &landed.layers[layer],
            rows,
        );
    }
    for (topic, records) in &golden.topics {
        compare(
            &format!("{what}: topic {topic}"),
            &landed.topics[topic],
            records,
        );
    }
}

#[track_caller]
fn compare<T: PartialEq + std::fmt::Debug>(what: &str, found: &[T], expected: &[T]) {
    let same = found
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    assert!(
        found.len() == expected.len() && same == expected.len(),
        "{what}: {} instead of {}, the first {same} are the same, then\n{:?}\ninstead of\n{:?}",
        found.len(),
        expected.len(),
        found.get(same),
        expected.get(same),
    );
}

/// What to look for.
pub(crate) struct Made {
    pub layers: &'static [&'static str],
    pub topics: &'static [&'static str],
    pub partitions: u32,
}

pub(crate) const RAW: &str = include_str!("../../../../fluvio-config/connectors/stage-raw.yaml");
pub(crate) const CLEAN: &str =
    include_str!("../../../../fluvio-config/connectors/stage-clean.yaml");
pub(crate) const FEATURES: &str =
    include_str!("../../../../fluvio-config/connectors/stage-features.yaml");
pub(crate) const ALERTS: &str =
    include_str!("../../../../fluvio-config/connectors/stage-alerts.yaml");
pub(crate) const PREDICTIONS: &str =
    include_str!("../../../../fluvio-config/connectors/stage-predictions.yaml");

pub(crate) const CLEAN_MADE: Made = Made {
    layers: &["clean", "rejected"],
    topics: &["crypto-clean", "crypto-rejected"],
    partitions: 1,
};
