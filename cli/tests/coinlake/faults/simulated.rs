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
use crate::rows::Rows;

/// Largest coins that are polled.
pub(super) const COINS: usize = 50;
/// The stages, and what they read.
const STAGES: [(&str, &str); 5] = [
    ("stage-raw", "crypto-raw"),
    ("stage-clean", "crypto-raw"),
    ("stage-features", "crypto-clean"),
    ("stage-alerts", "crypto-features"),
    ("stage-predictions", "crypto-features"),
];
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

pub(super) struct Simulated {
    folder: TempDir,
    clock: Clock,
    pub replay: ReplayServer,
    runtime: Runtime,
}

impl Simulated {
    /// A settings file, and a clock that stands where the market begins.
    pub(super) fn new(market: FieldMarket) -> Self {
        Self::behind(market, Duration::ZERO)
    }

    /// The same, `up`'s clock that much behind CoinGecko's.
    pub(super) fn behind(market: FieldMarket, by: Duration) -> Self {
        let start_ms = market.settings().start_ms;
        Self::new_at(market, start_ms, by)
    }

    /// The clock stands somewhere in the market: what was before is the past.
    pub(super) fn from(market: FieldMarket, start_ms: i64) -> Self {
        Self::new_at(market, start_ms, Duration::ZERO)
    }

    fn new_at(market: FieldMarket, start_ms: i64, by: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = UNIX_EPOCH + Duration::from_millis(start_ms.unsigned_abs());
        let clock = Clock::share(&folder.path().join("clock"), start).unwrap();
        let runtime = Runtime::new().unwrap();
        let now = clock.clone();
        let now = Arc::new(move || now.now() + by);
        let replay = ReplayServer::start_on(Market::Field(market), now, Position::start());
        let replay = runtime.block_on(replay).unwrap();
        let settings = format!(
            "coingecko: {{base_url: {}, top: {COINS}, history: off, calls_file: calls.json}}\nbroker: {{listen: 0}}\nconsole: 0\nmetrics: 0\n\
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
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn lake(&self) -> PathBuf {
        self.folder.path().join("coinlake-data/lake")
    }

    /// Where the source keeps the count of its calls.
    pub(super) fn calls_file(&self) -> PathBuf {
        self.folder.path().join("calls.json")
    }

    /// `coinlake` on this clock.
    pub(super) fn coinlake(&self, arguments: &[&str]) -> Command {
        let mut command = coinlake(arguments);
        command.current_dir(self.folder.path());
        command.env("COINLAKE_TEST_CLOCK", self.folder.path().join("clock"));
        command.env("COINGECKO_API_KEY", "CG-demo");
        command
    }

    /// Starts `up`, with this webhook.
    pub(super) fn up(&self, webhook: Option<&str>) -> Up<'_> {
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

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Time may pass until then, for whoever waits.
    pub(super) fn let_pass(&self, until_ms: i64) {
        let until = UNIX_EPOCH + Duration::from_millis(until_ms.unsigned_abs());
        self.clock.let_pass(until).unwrap();
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Time passes while nobody is awake.
    pub(super) fn jump_to(&self, until_ms: i64) {
        let until = UNIX_EPOCH + Duration::from_millis(until_ms.unsigned_abs());
        self.clock.let_pass(until).unwrap();
        let left = until.duration_since(self.clock.now()).unwrap_or_default();
        self.runtime.block_on(self.clock.sleep(left));
    }

    /// The times and prices of a coin's chart of a day, as CoinGecko draws it now.
    pub(super) fn chart(&self, coin: &str) -> Vec<(i64, f64)> {
        let url = format!(
            "{}/coins/{coin}/market_chart?vs_currency=usd&days=1&precision=full",
            self.replay.base_url()
        );
        let chart: Value = serde_json::from_str(&self.runtime.block_on(text(url))).unwrap();
        let prices = chart["prices"].as_array().unwrap().iter();
        let pair = |pair: &Value| Some((pair[0].as_i64()?, pair[1].as_f64()?));
        prices.filter_map(pair).collect()
    }
}

/// A running `up`.
pub(super) struct Up<'a> {
    simulated: &'a Simulated,
    pub running: Running,
    client: Client,
}

impl Up<'_> {
    /// Waits for the first poll, before any time passes.
    pub(super) fn first_poll(&self) {
        self.running.wait_for("a record", |_| {
            (self.records("crypto-raw") > 0).then_some(())
        });
    }

    /// Lets time pass until then, and waits until what came in it has gone through every stage.
    pub(super) fn pass_until(&self, until_ms: i64) {
        self.simulated.let_pass(until_ms);
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
    pub(super) fn predicts(&self) {
        const POLL_MS: i64 = 300_000;
        self.running.wait_for("a prediction", |_| {
            self.pass_until(self.simulated.now_ms() + POLL_MS);
            (self.records("crypto-predictions") > 0).then_some(())
        });
    }

    /// Waits for what is live after the past, letting a minute pass for calls that wait for their turn.
    pub(super) fn first_live(&self) {
        self.simulated.let_pass(self.simulated.now_ms() + 60_000);
        self.running
            .wait_for("a live record", |_| self.is_live().then_some(()));
    }

    /// Whether the last record is a live one.
    pub(super) fn is_live(&self) -> bool {
        let tail = reader::read_tail(&self.client, "crypto-raw", 0);
        let tail = self.simulated.runtime.block_on(tail).unwrap();
        tail.is_some_and(|tail| !String::from_utf8_lossy(&tail.value).contains("backfilled"))
    }

    /// Waits until the newest row of features has had its alert: there are rules that hold for it.
    pub(super) fn alerts_come(&self) {
        let newest = || {
            let tail = reader::read_tail(&self.client, "crypto-alerts", 0);
            let tail = self.simulated.runtime.block_on(tail).unwrap()?;
            let alert: Value = serde_json::from_slice(&tail.value).unwrap();
            alert["source_offset"].as_i64()
        };
        self.running.wait_for("the newest row's alert", |_| {
            (newest() == Some(self.records("crypto-features") - 1)).then_some(())
        });
    }

    /// Waits until every stage has read all of its topic. It reads from the start, for nothing is committed yet.
    pub(super) fn all_read(&self) {
        self.running
            .wait_for("stages that have read all", |running| {
                let (_, scrape) = running.get("/metrics")?;
                STAGES
                    .iter()
                    .all(|(stage, topic)| {
                        let name = format!("parquet_sink_inputs_total{{stage=\"{stage}\"}} ");
                        let inputs = scrape.lines().find_map(|line| line.strip_prefix(&name));
                        inputs.and_then(|inputs| inputs.parse().ok()) == Some(self.records(topic))
                    })
                    .then_some(())
            });
    }

    /// Every record of a topic.
    pub(super) fn rows(&self, topic: &str) -> Rows {
        let rows = crate::rows::records(&self.client, topic, 0);
        self.simulated.runtime.block_on(rows)
    }

    /// What the console answers.
    pub(super) fn console(&self, path: &str) -> String {
        let console = self.running.word_after("console at http://");
        let url = format!("http://{}{path}", console.trim_end_matches(';'));
        self.simulated.runtime.block_on(text(url))
    }

    /// How many records a topic has had.
    async fn end(&self, topic: &str) -> i64 {
        reader::offsets(&self.client, topic, 0).await.unwrap().end
    }

    pub(super) fn records(&self, topic: &str) -> i64 {
        self.simulated.runtime.block_on(self.end(topic))
    }

    /// What `coinlake health` finds wrong.
    pub(super) fn problems(&self) -> String {
        let output = self.simulated.coinlake(&["health", "--json"]).output();
        let found: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        found["problems"].to_string()
    }

    /// Looks until `coinlake health` finds it healthy or not, with all of this among problems and notes, and `/readyz` ready
    /// or not.
    pub(super) fn health(&self, healthy: bool, ready: bool, expected: &[&str]) {
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

async fn text(url: String) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let reply = client.get(url).send().await.unwrap();
    reply.error_for_status().unwrap().text().await.unwrap()
}
