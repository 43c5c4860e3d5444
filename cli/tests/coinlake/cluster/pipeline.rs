//! Source and stages as processes against a cluster, fed from a replay; and what a run without processes, shares and
//! kills leaves, to compare with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use connector_runtime::config::Secrets;
use connector_runtime::reader;
use fixtures::recording::recording;
use lake::Lake;
use parquet_sink::{SECTION, StageConfig, StageStatus};
use replay::{Market, Position, Recording, ReplayServer, Speed, SyntheticMarket};
use tokio::process::Child;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::support::*;
use crate::rows::{self, LAYERS, Rows};
use crate::shipped::{SOURCE, STAGES};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Each look is a new connection: one does not survive the death of a broker.
const POLL: Duration = Duration::from_millis(100);

/// What runs, and how it is spread.
pub(super) struct Setup {
    pub market: Market,
    pub speed: Speed,
    pub partitions: u32,
    /// Processes of each stage, which share its partitions.
    pub copies: u32,
}

impl Setup {
    /// The synthetic market as fast as it goes, each stage in one process.
    pub(super) fn synthetic(partitions: u32) -> Self {
        Self {
            market: Market::Synthetic(SyntheticMarket::default()),
            speed: Speed::Max,
            partitions,
            copies: 1,
        }
    }

    /// The recording, where it is at hand.
    pub(super) fn recorded(partitions: u32) -> Option<Self> {
        Some(Self {
            market: Market::Recording(Recording::open(&recording()?).unwrap()),
            ..Self::synthetic(partitions)
        })
    }
}

/// What a run left in lake and topics.
pub(super) struct Landed {
    lake: BTreeMap<&'static str, Rows>,
    topics: BTreeMap<&'static str, Rows>,
}

impl Landed {
    async fn collect(client: &Client, partitions: u32, data: &Path) -> Self {
        let mut topics = BTreeMap::new();
        for layer in LAYERS {
            topics.insert(layer, topic(client, layer, partitions).await);
        }
        Self {
            lake: rows::lake(data),
            topics,
        }
    }

    /// A layer's rows.
    pub(super) fn rows(&self, layer: &str) -> &Rows {
        &self.lake[layer]
    }

    /// A topic's records, partition by partition.
    pub(super) fn records(&self, layer: &str) -> &Rows {
        &self.topics[layer]
    }

    /// How many rows a layer has.
    pub(super) fn count(&self, layer: &str) -> usize {
        self.lake[layer].len()
    }

    /// Fails with the first row that differs.
    pub(super) fn assert_equal(&self, expected: &Self, what: &str) {
        rows::assert_equal(&format!("{what}, lake"), &self.lake, &expected.lake);
        rows::assert_equal(&format!("{what}, topics"), &self.topics, &expected.topics);
        let counts = LAYERS.map(|layer| format!("{} {layer}", self.count(layer)));
        println!("{what}: equal, {}", counts.join(", "));
    }
}

/// A topic's records, partition by partition.
async fn topic(client: &Client, layer: &str, partitions: u32) -> Rows {
    let name = format!("crypto-{layer}");
    let mut seen = Rows::new();
    for partition in 0..partitions {
        for mut row in rows::records(client, &name, partition).await {
            row.insert("partition".into(), partition.into());
            seen.push(row);
        }
    }
    seen
}

/// What an undisturbed run on the embedded broker makes of the synthetic market in three partitions.
pub(super) async fn synthetic_landed() -> &'static Landed {
    static LANDED: OnceCell<Landed> = OnceCell::const_new();
    LANDED
        .get_or_init(|| undisturbed(Setup::synthetic(3)))
        .await
}

/// On the embedded broker: the market first, then one stage after the other, in this process.
pub(super) async fn undisturbed(setup: Setup) -> Landed {
    let target = Target::embedded().await;
    let partitions = setup.partitions;
    deploy(&target, partitions).await;
    let run = Run::new(&target, "undisturbed", partitions);
    let records = setup
        .market
        .records_total()
        .expect("a market of known length");
    let replay = start_replay(setup).await;
    let mut source = run.start_source(&replay);
    run.eventually(
        "the market is in the topic",
        &mut [&mut source],
        async || run.end("raw").await == Some(records),
    )
    .await;
    source.stop().await;
    for (_, text) in STAGES {
        let mut config = StageConfig::from_yaml(text, SECTION, &Secrets::none()).unwrap();
        config.settings.lake = run.lake();
        let input = config.meta.topic.name.strip_prefix("crypto-").unwrap();
        let inputs = run.end(input).await.unwrap().cast_signed();
        let stop = CancellationToken::new();
        let status = Arc::new(StageStatus::default());
        let stage = parquet_sink::run(config, target.cluster.clone(), stop.clone(), status.clone());
        let stage = tokio::spawn(stage);
        run.eventually("the stage handles its inputs", &mut [], async || {
            assert!(!stage.is_finished(), "the stage ended early");
            status.next_input() >= inputs
        })
        .await;
        stop.cancel();
        stage.await.unwrap().unwrap();
    }
    let landed = Landed::collect(&target.client().await, partitions, &run.dir).await;
    target.clean_up().await;
    landed
}

async fn deploy(target: &Target, partitions: u32) {
    let partitions = partitions.to_string();
    target.deployed(&["--partitions", &partitions]).await;
}

/// A folder for one run: lake, configurations, logs.
struct Run<'a> {
    target: &'a Target,
    dir: PathBuf,
    partitions: u32,
}

/// A connector that runs.
struct Process {
    name: String,
    program: &'static str,
    arguments: Vec<String>,
    child: Child,
    log: PathBuf,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, name: &str, partitions: u32) -> Self {
        let dir = target.dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        Self {
            target,
            dir,
            partitions,
        }
    }

    fn lake(&self) -> String {
        self.dir.join("lake").to_str().unwrap().to_owned()
    }

    fn start_source(&self, replay: &ReplayServer) -> Process {
        let (name, text) = SOURCE;
        let settings = format!(
            "coingecko:\n  poll_interval: 0s\n  base_url: {}\n",
            replay.base_url()
        );
        let text = replaced(text, "coingecko:\n", &settings);
        let config = self.config(name, &text);
        self.start("coingecko-source", name.to_owned(), vec![config])
    }

    /// One stage in so many processes, all with one configuration.
    fn start_stage(&self, (name, text): (&str, &str), copies: u32) -> Vec<Process> {
        // Commits often, so that kills come before, between and after commits.
        let text = format!("{}\n  limits:\n    interval: 1s\n", text.trim_end());
        let config = self.config(name, &text);
        let copy = |copy| {
            let (lake, share) = (self.lake(), format!("{copy}/{copies}"));
            let arguments = [&config, "--lake", &lake, "--share", &share];
            let arguments = arguments.map(str::to_owned).to_vec();
            self.start("parquet-sink", format!("{name}-{copy}"), arguments)
        };
        (0..copies).map(copy).collect()
    }

    fn config(&self, name: &str, text: &str) -> String {
        let path = self.dir.join(format!("{name}.yaml"));
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn start(&self, program: &'static str, name: String, arguments: Vec<String>) -> Process {
        let log = self.dir.join(format!("{name}.log"));
        Process {
            child: self.spawn(program, &arguments, &log),
            name,
            program,
            arguments,
            log,
        }
    }

    fn spawn(&self, program: &str, arguments: &[String], log: &Path) -> Child {
        let log = File::options().append(true).create(true).open(log).unwrap();
        let mut command = self.target.program(program);
        command.arg("--config").args(arguments);
        command.args(["--profile", &self.target.profile]);
        command.stderr(log).spawn().unwrap()
    }

    /// SIGKILL, and a new one: no destructor runs, no buffer is flushed.
    async fn replace(&self, process: &mut Process) {
        process.child.kill().await.unwrap();
        process.child = self.spawn(process.program, &process.arguments, &process.log);
    }

    /// How many records a topic has had; none while the cluster does not answer.
    async fn end(&self, layer: &str) -> Option<u64> {
        let client = self.target.cluster.connect().await.ok()?;
        let mut end = 0;
        for partition in 0..self.partitions {
            let range = reader::offsets(&client, &format!("crypto-{layer}"), partition).await;
            end += range.ok()?.end.cast_unsigned();
        }
        Some(end)
    }

    /// Looks until it is so; none of these processes may end meanwhile.
    async fn eventually(
        &self,
        what: &str,
        processes: &mut [&mut Process],
        mut so: impl AsyncFnMut() -> bool,
    ) {
        let looking = async {
            while !so().await {
                for process in processes.iter_mut() {
                    if let Some(status) = process.child.try_wait().unwrap() {
                        panic!("{} ended with {status}: {}", process.name, process.said());
                    }
                }
                tokio::time::sleep(POLL).await;
            }
        };
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            let said: String = processes.iter().map(|p| p.said()).collect();
            panic!("waited in vain: {what}\n{said}");
        }
    }
}

impl Process {
    /// SIGTERM, as Kubernetes and systemd do it; it must end in order.
    async fn stop(&mut self) {
        let pid = self.child.id().unwrap().to_string();
        let told = tokio::process::Command::new("kill").arg(&pid).status();
        assert!(told.await.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("it does not end").unwrap();
        assert!(
            status.success(),
            "{} ended with {status}: {}",
            self.name,
            self.said()
        );
    }

    /// The end of its log.
    fn said(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = &lines[lines.len().saturating_sub(20)..];
        format!("--- {}\n{}\n", self.name, end.join("\n"))
    }
}

/// Replaces what must be there.
#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no `{from}` in a shipped config");
    text.replacen(from, to, 1)
}

async fn start_replay(setup: Setup) -> ReplayServer {
    let counts = vec![0; setup.partitions as usize];
    let position = Position::from_counts(&counts, coingecko_source::partition_of);
    ReplayServer::start(setup.market, setup.speed, position)
        .await
        .unwrap()
}

/// Everything running on a target.
pub(super) struct Pipeline<'a> {
    run: Run<'a>,
    source: Process,
    stages: Vec<Process>,
    started: Instant,
    _replay: ReplayServer,
}

impl<'a> Pipeline<'a> {
    /// Deploys and starts, the source last.
    pub(super) async fn start(target: &'a Target, setup: Setup) -> Self {
        deploy(target, setup.partitions).await;
        let run = Run::new(target, "pipeline", setup.partitions);
        let copies = setup.copies;
        let stages = STAGES
            .iter()
            .flat_map(|stage| run.start_stage(*stage, copies));
        let stages = stages.collect();
        let replay = start_replay(setup).await;
        Self {
            source: run.start_source(&replay),
            stages,
            started: Instant::now(),
            run,
            _replay: replay,
        }
    }

    /// How many stage processes there are.
    pub(super) fn stages(&self) -> usize {
        self.stages.len()
    }

    /// Waits until a layer's topic has so many records.
    pub(super) async fn reaches(&mut self, layer: &str, records: u64) {
        let run = &self.run;
        let mut processes = vec![&mut self.source];
        processes.extend(&mut self.stages);
        let what = format!("crypto-{layer} has {records} records");
        run.eventually(&what, &mut processes, async || {
            run.end(layer).await.is_some_and(|end| end >= records)
        })
        .await;
    }

    /// Kills one stage process and starts it again.
    pub(super) async fn kill_stage(&mut self, index: usize) {
        let stage = &mut self.stages[index];
        println!("kill -9 {}", stage.name);
        self.run.replace(stage).await;
    }

    /// Waits until everything that `expected` has has landed, stops in order and tells what there is.
    pub(super) async fn landed(mut self, expected: &Landed) -> Landed {
        let run = &self.run;
        let lake = Lake::open_str(&run.lake(), []).unwrap();
        let mut processes = vec![&mut self.source];
        processes.extend(&mut self.stages);
        let (started, raw) = (self.started, expected.count("raw"));
        run.eventually("every record arrives", &mut processes, async || {
            let wanted = |layer| expected.topics[layer].len();
            for layer in LAYERS {
                let end = run.end(layer).await;
                if end.is_none_or(|end| end < wanted(layer) as u64) {
                    return false;
                }
            }
            // A stage that was killed late may have its rows in the topic and not in the lake.
            for layer in LAYERS {
                let summary = lake.table(layer).summary().await.unwrap();
                let rows = summary.map_or(0, |summary| summary.rows);
                if rows < expected.count(layer) as u64 {
                    return false;
                }
            }
            true
        })
        .await;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{raw} records in {seconds:.1} s: {:.0}/s",
            raw as f64 / seconds
        );
        for process in processes {
            process.stop().await;
        }
        Landed::collect(&run.target.client().await, run.partitions, &run.dir).await
    }
}
