//! The finished command, running.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader;
use connector_runtime::record::Record;
use serde_json::Value;

/// How long a platform may take to get somewhere.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// `coinlake` with these arguments, and no model registry but what the test names.
pub fn coinlake(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coinlake"));
    command.args(arguments);
    for name in ["URI", "USERNAME", "PASSWORD", "TOKEN"] {
        command.env_remove(format!("MLFLOW_TRACKING_{name}"));
    }
    command
}

/// A `coinlake` that runs until it is dropped.
pub struct Coinlake {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Coinlake {
    /// Starts it with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::run(coinlake(arguments))
    }

    /// Starts what [`coinlake`] has made.
    pub fn run(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (send, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("coinlake: {line}");
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, said }
    }

    /// Waits for a line that begins so, and returns the word behind it. Lines before it are gone.
    pub fn says(&self, beginning: &str) -> String {
        loop {
            let line = self
                .said
                .recv_timeout(PATIENCE)
                .expect("it goes on talking");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.split([' ', ',']).next().unwrap().to_owned();
            }
        }
    }

    /// The memory it has in use, in MB.
    pub fn rss_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap();
        kib * 1024.0 / 1e6
    }
}

impl Drop for Coinlake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to the broker at `addr`.
pub async fn connect(addr: &str) -> Client {
    Cluster::at(addr).connect().await.unwrap()
}

/// Every record of a topic's one partition.
pub async fn records(client: &Client, topic: &str) -> Vec<Record> {
    let held = reader::offsets(client, topic, 0).await.unwrap();
    let read = reader::read_range(client, topic, 0, held.start..held.end);
    read.await.unwrap()
}

/// The payloads of a topic of JSON objects.
pub async fn values(client: &Client, topic: &str) -> Vec<Value> {
    let records = records(client, topic).await;
    let values = records
        .iter()
        .map(|record| serde_json::from_slice(&record.value));
    values.collect::<Result<_, _>>().unwrap()
}

/// The newest row of every coin.
pub type Newest = BTreeMap<String, Value>;

/// Those of a topic of rows.
pub async fn newest(client: &Client, topic: &str) -> Newest {
    let mut newest = Newest::new();
    for row in values(client, topic).await {
        let coin = row["coin"].as_str().unwrap().to_owned();
        let older = newest
            .get(&coin)
            .is_some_and(|known| known["event_time"].as_i64() > row["event_time"].as_i64());
        if !older {
            newest.insert(coin, row);
        }
    }
    newest
}

/// Waits until `topic` holds `count` records.
pub async fn holds(client: &Client, topic: &str, count: i64) {
    let started = Instant::now();
    while reader::offsets(client, topic, 0).await.unwrap().end < count {
        assert!(
            started.elapsed() < PATIENCE,
            "{topic} does not come to hold {count} records"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many Parquet files a layer has, and their size.
pub fn files(lake: &Path, layer: &str) -> (usize, u64) {
    let mut sizes = Vec::new();
    for date in std::fs::read_dir(lake.join(layer)).into_iter().flatten() {
        for file in std::fs::read_dir(date.unwrap().path()).unwrap() {
            sizes.push(file.unwrap().metadata().unwrap().len());
        }
    }
    (sizes.len(), sizes.iter().sum())
}
