//! The platform as processes of their own, as on a cluster: a broker, the source, the stages, the console, the trainer. The
//! replay that the source polls is in the test itself.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use broker::BrokerConfig;
use connector_runtime::cluster::Cluster;
use connector_runtime::reader;
use faults::{Listening, Network, Proxy};
use fixtures::broker::{BrokerProcess, serve};
use fixtures::process::{coinlake, program, succeeded, terminate};
use lake::Lake;
use replay::{Market, Position, ReplayServer, Speed, SyntheticMarket, Tail};
use tempfile::TempDir;

use super::Left;
use crate::rows::LAYERS;
use crate::shipped::{SOURCE, STAGES};

/// How long something may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(180);
/// Three days of market in about 13 seconds: long enough for things to happen in between.
const SPEED: Speed = Speed::Times(20_000.0);

/// Commits often, so that faults meet many.
const LIMITS: &str = "  limits: { rows_max: 5000, interval: 1s }\n";

/// A process of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Broker,
    Source,
    Stage(&'static str),
    Console,
    Trainer,
}

impl Part {
    pub(super) const ALL: [Self; 9] = [
        Self::Broker,
        Self::Source,
        Self::Stage(STAGES[0].0),
        Self::Stage(STAGES[1].0),
        Self::Stage(STAGES[2].0),
        Self::Stage(STAGES[3].0),
        Self::Stage(STAGES[4].0),
        Self::Console,
        Self::Trainer,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Source => "source",
            Self::Stage(name) => name,
            Self::Console => "console",
            Self::Trainer => "trainer",
        }
    }
}

/// Everything running.
pub(super) struct Platform {
    data: TempDir,
    market: Market,
    replay: Option<ReplayServer>,
    broker: Option<BrokerProcess>,
    /// Where it listens, also when it comes again.
    listen: SocketAddr,
    /// Where clients find the broker: at the proxy where there is one.
    pub proxy: Option<Proxy>,
    met_at: SocketAddr,
    environment: Vec<(String, String)>,
    running: BTreeMap<Part, Child>,
}

impl Platform {
    pub(super) async fn start() -> Self {
        Self::start_with(None, Vec::new()).await
    }

    /// With a network between everybody and the broker.
    pub(super) async fn start_behind(network: Network, seed: u64) -> Self {
        Self::start_with(Some((network, seed)), Vec::new()).await
    }

    /// With more in the environment of every process.
    pub(super) async fn start_in(environment: Vec<(String, String)>) -> Self {
        Self::start_with(None, environment).await
    }

    async fn start_with(
        network: Option<(Network, u64)>,
        environment: Vec<(String, String)>,
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir_all(data.path().join("log")).unwrap();
        for (name, text) in STAGES {
            let file = data.path().join(name).with_extension("yaml");
            fs::write(file, [text, LIMITS].concat()).unwrap();
        }
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut platform = Self {
            data,
            market: Market::Synthetic(SyntheticMarket::default()),
            replay: None,
            broker: None,
            listen: nowhere,
            met_at: nowhere,
            proxy: None,
            environment,
            running: BTreeMap::new(),
        };
        match network {
            None => {
                platform.begin(Part::Broker).await;
                platform.met_at = platform.listen;
            }
            Some((network, seed)) => {
                let listening = Listening::start().await.unwrap();
                platform.met_at = listening.addr().unwrap();
                platform.begin(Part::Broker).await;
                platform.proxy = Some(listening.forward(platform.listen, network, seed));
            }
        }
        platform.deploy();
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Broker) {
            platform.begin(part).await;
        }
        platform
    }

    fn deploy(&self) {
        let deployed = coinlake(&["deploy", "--partitions=1", "--yes", "--cluster"])
            .arg(self.listen.to_string())
            .arg("--data")
            .arg(self.data.path())
            .output()
            .unwrap();
        succeeded(&deployed);
    }

    pub(super) fn lake_folder(&self) -> PathBuf {
        self.data.path().join("lake")
    }

    /// Starts a part.
    pub(super) async fn begin(&mut self, part: Part) {
        let mut command = match part {
            Part::Broker => return self.begin_broker(),
            Part::Source => {
                let replay = self.replay_from_where_the_topic_ends().await;
                let settings = format!(
                    "coingecko:\n  poll_interval: 0s\n  base_url: {}",
                    replay.base_url()
                );
                self.replay = Some(replay);
                let config = SOURCE.1.replace("coingecko:\n", &format!("{settings}\n"));
                assert!(config.contains("base_url"), "the shipped config changed");
                fs::write(self.data.path().join("source.yaml"), config).unwrap();
                self.connector("coingecko-source", "source")
            }
            Part::Stage(name) => {
                let mut command = self.connector("parquet-sink", name);
                command.arg("--lake").arg(self.lake_folder());
                command
            }
            Part::Console => {
                let mut command = coinlake(&["console", "--listen=127.0.0.1:0", "--cluster"]);
                command.arg(self.met_at.to_string());
                command.arg("--lake").arg(self.lake_folder());
                command
            }
            Part::Trainer => {
                // A folder of its own: there it knows of no broker, and no model makes this run another one.
                let mut command = coinlake(&["train", "run", "--every=2s", "--threads=1"]);
                command.arg("--data").arg(self.trainer_folder());
                command.arg("--lake").arg(self.lake_folder());
                command
            }
        };
        command.envs(self.environment.iter().cloned());
        command.stdout(Stdio::null()).stderr(self.log_of(part));
        self.running.insert(part, command.spawn().unwrap());
    }

    fn begin_broker(&mut self) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.envs(self.environment.iter().cloned());
        command.stderr(self.log_of(Part::Broker));
        let is_met_elsewhere = self.met_at != self.listen;
        let config = BrokerConfig {
            listen: self.listen,
            advertise: is_met_elsewhere.then(|| (self.met_at.ip().to_string(), self.met_at.port())),
            ..BrokerConfig::new(self.data.path().join("broker"))
        };
        let broker = BrokerProcess::start_in(command, "faults::platform::a_broker", &config);
        self.listen = broker.addr();
        self.broker = Some(broker);
    }

    /// SIGKILL: no destructor runs, no buffer is flushed.
    pub(super) fn kill(&mut self, part: Part) {
        self.assert_running();
        if part == Part::Broker {
            return self.broker.take().unwrap().kill();
        }
        let mut child = self.running.remove(&part).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the lake has as many rows as it should.
    pub(super) async fn lands(&mut self, golden: &Left) {
        let lake = Lake::open_str(self.lake_folder().to_str().unwrap(), []).unwrap();
        let started = Instant::now();
        loop {
            let mut missing = Vec::new();
            for layer in LAYERS {
                let (rows, wanted) = (rows_of(&lake, layer).await, golden.rows(layer));
                if rows < wanted {
                    missing.push(format!("{layer} has {rows} of {wanted} rows"));
                }
            }
            if missing.is_empty() {
                return;
            }
            self.assert_running();
            assert!(
                started.elapsed() < PATIENCE,
                "{missing:?}\n{}",
                self.all_said()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Nobody has ended by themselves.
    pub(super) fn assert_running(&mut self) {
        let mut ended = Vec::new();
        if let Some(status) = self.broker.as_mut().and_then(BrokerProcess::ended) {
            ended.push((Part::Broker, status));
        }
        for (part, child) in &mut self.running {
            if let Some(status) = child.try_wait().unwrap() {
                ended.push((*part, status));
            }
        }
        if let Some((part, status)) = ended.first() {
            panic!("{part:?} ended, {status}: {}", self.said(*part));
        }
    }

    /// Ends everything in order, the broker without a word, and looks at what is left.
    pub(super) async fn left(mut self) -> Left {
        for part in Part::ALL.into_iter().filter(|part| *part != Part::Broker) {
            let status = terminate(self.running.remove(&part).unwrap());
            assert!(status.success(), "{part:?}, {status}: {}", self.said(part));
        }
        self.kill(Part::Broker);
        Left::behind(self.data.path()).await
    }

    /// The page, from the console as it runs now.
    pub(super) async fn page(&self) -> String {
        let started = Instant::now();
        loop {
            let said = self.said(Part::Console);
            let address = said.lines().rev().find_map(|line| {
                let (_, address) = line.split_once("console at ")?;
                Some(address.to_owned())
            });
            if let Some(address) = address {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                if let Ok(reply) = client.get(address).send().await {
                    assert!(reply.status().is_success(), "{}", reply.status());
                    return reply.text().await.unwrap();
                }
            }
            assert!(started.elapsed() < PATIENCE, "no page: {said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What the trainer has so far, and whether it can go on: one more training by hand.
    pub(super) fn train(&self) -> serde_json::Value {
        let trained = coinlake(&["train", "run", "--json"])
            .arg("--data")
            .arg(self.trainer_folder())
            .arg("--lake")
            .arg(self.lake_folder())
            .output()
            .unwrap();
        serde_json::from_str(&succeeded(&trained)).unwrap()
    }

    fn trainer_folder(&self) -> PathBuf {
        self.data.path().join("trainer")
    }

    /// A connector's own command, with the configuration of that name.
    fn connector(&self, command: &str, config: &str) -> Command {
        let mut command = program(command);
        let config = self.data.path().join(config).with_extension("yaml");
        command.arg("--config").arg(config);
        command.args(["--cluster", &self.met_at.to_string()]);
        command
    }

    async fn replay_from_where_the_topic_ends(&self) -> ReplayServer {
        closed_connections_are_done_with(self.listen.port()).await;
        let client = Cluster::at(self.met_at).connect().await.unwrap();
        let range = reader::offsets(&client, "crypto-raw", 0).await.unwrap();
        let last = reader::read_tail(&client, "crypto-raw", 0).await.unwrap();
        let tail = Tail {
            records: range.end.cast_unsigned(),
            last: last.map(|record| record.value.to_vec()),
        };
        let position = Position::from_tails(vec![tail], coingecko_source::partition_of);
        ReplayServer::start(self.market.clone(), SPEED, position)
            .await
            .unwrap()
    }

    fn log_of(&self, part: Part) -> File {
        let file = self.log_file(part);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .unwrap()
    }

    fn log_file(&self, part: Part) -> PathBuf {
        self.data.path().join("log").join(part.name())
    }

    /// The end of what a part said.
    fn said(&self, part: Part) -> String {
        let said = fs::read_to_string(self.log_file(part)).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn all_said(&self) -> String {
        let said = Part::ALL.map(|part| format!("--- {}\n{}", part.name(), self.said(part)));
        said.join("\n")
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

async fn rows_of(lake: &Lake, layer: &str) -> u64 {
    let summary = lake.table(layer).summary().await.unwrap();
    summary.map_or(0, |summary| summary.rows)
}

/// Waits until the broker has closed every connection whose client is gone: what a killed process had sent is in the topic
/// by then, or never will be.
async fn closed_connections_are_done_with(port: u16) {
    /// In /proc/net/tcp: the other side has closed, this one has not.
    const CLOSE_WAIT: &str = "08";
    let port = format!(":{port:04X}");
    loop {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let waiting = table.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|local| local.ends_with(&port));
            local && fields.nth(1) == Some(CLOSE_WAIT)
        });
        if !waiting {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Not a test: the broker's process. It ends when whoever started it does.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process of other tests"]
async fn a_broker() {
    serve().await;
}
