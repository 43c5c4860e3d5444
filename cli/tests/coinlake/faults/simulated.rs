//! `coinlake up` against the field market, both on one clock that the test lets pass. Polls, pauses, the month's budget, the
//! time of records and freshness go by it; work takes no time on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use connector_runtime::clock::Clock;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader;
use fixtures::patience::PATIENCE;
use fixtures::process::coinlake;
use replay::{FieldMarket, Market, Position, ReplayServer};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::observe::process::Running;

/// Largest coins that are polled.
pub const COINS: usize = 50;
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

pub struct Simulated {
    folder: TempDir,
    clock: Clock,
    pub replay: ReplayServer,
    runtime: Runtime,
}

impl Simulated {
    /// A settings file, and a clock that stands where the market begins.
    pub fn new(market: FieldMarket) -> Self {
        Self::behind(market, Duration::ZERO)
    }

    /// The same, `up`'s clock that much behind CoinGecko's.
    pub fn behind(market: FieldMarket, by: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start_ms = market.settings().start_ms.unsigned_abs();
        let start = UNIX_EPOCH + Duration::from_millis(start_ms);
        let clock = Clock::share(&folder.path().join("clock"), start).unwrap();
        let runtime = Runtime::new().unwrap();
        let now = clock.clone();
        let now = Arc::new(move || now.now() + by);
        let replay = ReplayServer::start_on(Market::Field(market), now, Position::start());
        let replay = runtime.block_on(replay).unwrap();
        let settings = format!(
            "coingecko: {{base_url: {}, top: {COINS}, calls_file: calls.json}}\nbroker: {{listen: 0}}\nconsole: 0\nmetrics: 0\n\
             commit_interval: 30m\n",
            replay.base_url()
        );
        fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
        Self {
            folder,
            clock,
            replay,
            runtime,
        }
    }

    /// Where `coinlake` is started.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn lake(&self) -> PathBuf {
        self.folder.path().join("coinlake-data/lake")
    }

    /// Where the source keeps the count of its calls.
    pub fn calls_file(&self) -> PathBuf {
        self.folder.path().join("calls.json")
    }

    /// `coinlake` on this clock.
    pub fn coinlake(&self, arguments: &[&str]) -> Command {
        let mut command = coinlake(arguments);
        command.current_dir(self.folder.path());
        command.env("COINLAKE_TEST_CLOCK", self.folder.path().join("clock"));
        command.env("COINGECKO_API_KEY", "CG-demo");
        command
    }

    /// Starts `up`, with this webhook.
    pub fn up(&self, webhook: Option<&str>) -> Up<'_> {
        let mut command = self.coinlake(&["up"]);
        command.envs(webhook.map(|url| ("COINLAKE_WEBHOOK_URL", url)));
        let running = Running::start(command);
        let broker = running.word_after("broker at ");
        let client = self.runtime.block_on(Cluster::at(broker).connect());
        Up {
            simulated: self,
            running,
            client: client.unwrap(),
        }
    }

    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }
}

/// A running `up`.
pub struct Up<'a> {
    simulated: &'a Simulated,
    pub running: Running,
    client: Client,
}

impl Up<'_> {
    /// Waits for the first poll, before any time passes.
    pub fn first_poll(&self) {
        self.running.wait_for("a record", |_| {
            (self.records("crypto-raw") > 0).then_some(())
        });
    }

    /// Lets time pass until then, and waits until what came in it has gone through every stage.
    pub fn pass_until(&self, until_ms: i64) {
        let until = UNIX_EPOCH + Duration::from_millis(until_ms.unsigned_abs());
        self.simulated.clock.let_pass(until).unwrap();
        let through = async {
            loop {
                let raw = self.end("crypto-raw").await;
                tokio::time::sleep(LOOK_INTERVAL).await;
                let clean = self.end("crypto-clean").await;
                let is_through = self.simulated.now_ms() >= until_ms
                    && self.end("crypto-raw").await == raw
                    && clean + self.end("crypto-rejected").await == raw
                    && self.end("crypto-features").await == clean;
                if is_through {
                    return;
                }
            }
        };
        let through = async { tokio::time::timeout(PATIENCE, through).await };
        if self.simulated.runtime.block_on(through).is_err() {
            panic!("stuck: {:#?}", self.running.lines());
        }
    }

    /// Lets polls pass until there is a prediction: a stage takes up new models by itself, in its own time. That the console's
    /// Market page shows it is for the tests with a browser.
    pub fn predicts(&self) {
        const POLL_MS: i64 = 300_000;
        self.running.wait_for("a prediction", |_| {
            self.pass_until(self.simulated.now_ms() + POLL_MS);
            (self.records("crypto-predictions") > 0).then_some(())
        });
    }

    /// How many records a topic has had.
    async fn end(&self, topic: &str) -> i64 {
        reader::offsets(&self.client, topic, 0).await.unwrap().end
    }

    pub fn records(&self, topic: &str) -> i64 {
        self.simulated.runtime.block_on(self.end(topic))
    }

    /// Looks until `coinlake health` finds it healthy or not, with all of this among problems and notes, and `/readyz` ready
    /// or not.
    pub fn health(&self, healthy: bool, ready: bool, expected: &[&str]) {
        let started = Instant::now();
        loop {
            let output = self
                .simulated
                .coinlake(&["health", "--json"])
                .output()
                .unwrap();
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            let (status, probe) = self.running.get("/readyz").unwrap();
            let said = format!("{} {}", found["problems"], found["notes"]);
            if output.status.success() == healthy
                && (status == 200) == ready
                && expected.iter().all(|expected| said.contains(expected))
            {
                return;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "not healthy {healthy}, ready {ready}, {expected:?}: {found}\n{probe}\n{:#?}",
                self.running.lines()
            );
        }
    }
}
