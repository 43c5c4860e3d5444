//! In every store: a stage lands its rows, resumes where it stood, and is killed again and again, while upkeep merges its files;
//! every row is there once, and upkeep leaves one file a day.

use std::process::Stdio;

use fixtures::process::program;
use parquet_sink::StageConfig;
use parquet_sink::failpoints::Failpoint;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::azurite::Azurite;
use super::gcs::FakeGcs;
use super::hdfs::Hdfs;
use super::upkeep::{Keeper, puts_a_large_file, puts_in_order};
use super::versitygw::Versitygw;
use super::{Place, landed_at, prepared, run_supervised};
use crate::crash::kill_at;
use crate::support::*;

/// What comes in from one kill to the next: about 100 records. Five times that go past midnight.
const MINUTES: i64 = 30;
const ROWS_MAX: u64 = 10;

/// A stage with a lake at `place`, and a market that goes on.
struct Trial {
    platform: Platform,
    place: Place,
    minutes: i64,
    random: ChaCha8Rng,
    keeper: Keeper,
}

impl Trial {
    async fn begin(place: Place) -> Self {
        let platform = prepared(Platform::embedded().await).await;
        platform.topic("crypto-clean-store", 1).await;
        Self {
            platform,
            keeper: Keeper::start(place.clone()),
            place,
            minutes: 0,
            random: ChaCha8Rng::seed_from_u64(faults::seed()),
        }
    }

    fn config(&self) -> StageConfig {
        let mut config = self.platform.config("store", CLEAN);
        self.place.set(&mut config);
        config.settings.limits.rows_max = ROWS_MAX;
        config
    }

    async fn goes_on(&mut self) {
        let minutes = self.minutes..self.minutes + MINUTES;
        self.minutes = minutes.end;
        let market = market_between(minutes);
        self.platform.produce("crypto-raw", 0, &market).await;
    }

    /// Waits until the stage got a random part of the way.
    async fn gets_further(&mut self, from: i64, mut has_ended: impl FnMut() -> bool) {
        let wanted = from + self.random.random_range(1..50);
        eventually("the stage gets further", async || {
            self.platform.end("crypto-clean-store", 0).await >= wanted || has_ended()
        })
        .await;
    }

    /// Ends a stage as if it were killed, between two steps of a commit; false when it got to the end before.
    async fn kill_between_steps(&mut self) -> bool {
        let points = [
            Failpoint::CutStarted,
            Failpoint::TopicsAcknowledged,
            Failpoint::FilePut(0),
            Failpoint::FilePut(1),
            Failpoint::SideEntry(0),
            Failpoint::MainEntry,
        ];
        let point = *points.choose(&mut self.random).unwrap();
        let failpoints = kill_at(self.random.random_range(0..4), move |reached| {
            reached == point
        });
        let (_, ended) = self.platform.run_or_end(self.config(), failpoints).await;
        ended.is_err_and(|error| error.to_string() == "killed by a test")
    }

    /// kill -9 of a stage's process at any moment.
    async fn kill_process(&mut self) {
        let config = CLEAN
            .replace("topic: crypto-clean\n", "topic: crypto-clean-store\n")
            .replace("topic: crypto-rejected\n", "topic: crypto-rejected-store\n")
            .replace("  lake: /var/lib/coinlake/lake\n", &self.place.yaml());
        let config = format!("{config}  limits: {{ rows_max: {ROWS_MAX} }}\n");
        let file = self.platform.data.path().join("stage.yaml");
        std::fs::write(&file, config).unwrap();
        let mut command = program("parquet-sink");
        command.arg("--config").arg(&file);
        command.args(["--cluster", &self.platform.broker_addr().to_string()]);
        let from = self.platform.end("crypto-clean-store", 0).await;
        let mut process = command.stderr(Stdio::null()).spawn().unwrap();
        self.gets_further(from, || process.try_wait().unwrap().is_some())
            .await;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Lands the rest, compares everything with what an undisturbed stage lands in a folder, and does all upkeep.
    async fn ends(self) {
        run_supervised(&self.platform, || self.config()).await;
        let rewritten = self.keeper.stops().await;
        println!("{}: {rewritten} files rewritten meanwhile", self.place.lake);
        assert!(rewritten > 0);
        let golden = self.platform.config("golden", CLEAN);
        self.platform.run_to_end(golden).await;
        let golden = self.platform.landed("golden", &CLEAN_MADE).await;
        assert_eq!(golden.layers["clean"].len() as i64, 3 * self.minutes);
        let landed = landed_at(&self.platform, &self.place, "store").await;
        assert_same(&landed, &golden, &self.place.lake);
        puts_in_order(&self.place).await;
        puts_a_large_file(&self.place).await;
    }
}

/// Kills a stage in turn between two steps and at any moment.
async fn killed_again_and_again(place: Place) -> Trial {
    let mut trial = Trial::begin(place).await;
    let (mut between, mut anywhere) = (0, 0);
    for round in 0..faults::times(5, 50) {
        trial.goes_on().await;
        match round % 2 {
            0 => between += u32::from(trial.kill_between_steps().await),
            _ => {
                trial.kill_process().await;
                anywhere += 1;
            }
        }
    }
    assert!(between > 0, "no failpoint was reached");
    println!(
        "{}: killed {between} times between two steps of a commit, {anywhere} times at any moment",
        trial.place.lake
    );
    trial
}

#[tokio::test(flavor = "multi_thread")]
async fn versitygw() {
    let Some(store) = Versitygw::start() else {
        return;
    };
    killed_again_and_again(store.place()).await.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite() {
    let Some(store) = Azurite::start() else {
        return;
    };
    killed_again_and_again(store.place()).await.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs() {
    let Some(store) = FakeGcs::start().await else {
        return;
    };
    killed_again_and_again(store.place()).await.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hdfs() {
    let Some(mut cluster) = Hdfs::start(1) else {
        return;
    };
    let mut trial = killed_again_and_again(cluster.place()).await;
    for round in 0..faults::times(3, 50) {
        loses_a_process(&mut trial, &mut cluster, round % 3).await;
    }
    trial.ends().await;
}

/// Two NameNodes under one name: the other takes over. A takeover takes over a minute where little else runs, so only
/// `cargo xtask faults stores` waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn hdfs_nameservice() {
    if !faults::is_long() {
        println!("skipped: `cargo xtask faults stores` kills NameNodes of a nameservice");
        return;
    }
    let Some(mut cluster) = Hdfs::start(2) else {
        return;
    };
    let mut trial = Trial::begin(cluster.place()).await;
    for _ in 0..faults::times(2, 20) {
        loses_a_process(&mut trial, &mut cluster, NAMENODE).await;
    }
    trial.ends().await;
}

/// Stands for the active NameNode among the numbers of DataNodes.
const NAMENODE: u64 = 2;

/// kill -9 of a process of HDFS while a stage writes; it comes back when more has come in.
async fn loses_a_process(trial: &mut Trial, cluster: &mut Hdfs, process: u64) {
    let stage = trial.platform.start_stage(trial.config());
    let from = trial.platform.end("crypto-clean-store", 0).await;
    trial.goes_on().await;
    trial.gets_further(from, || stage.task.is_finished()).await;
    match process {
        NAMENODE => cluster.kill_namenode(),
        number => cluster.kill_datanode(number as usize),
    }
    trial.goes_on().await;
    match process {
        NAMENODE => cluster.recover(),
        number => cluster.start_datanode(number as usize),
    }
    stage
        .handles(trial.platform.end("crypto-raw", 0).await)
        .await;
    stage.stops().await.unwrap();
}
