//! The past as far back as somebody asks for: on an empty platform only, and whole after a kill -9 in the middle.

use std::fs;
use std::process::Output;
use std::time::Instant;

use connector_runtime::cluster::Cluster;
use connector_runtime::reader;
use fixtures::patience::PATIENCE;
use fixtures::process::Process;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::Left;
use super::history::{START_MS, first_day, gap_max, times};
use super::simulated::Simulated;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const COINS: usize = 10;
const DAYS: i64 = 3;
/// When somebody asks.
const NOW_MS: i64 = START_MS + (DAYS * 24 + 2) * HOUR_MS;

/// `coinlake backfill` with these arguments, in as much time as it needs.
fn backfill(simulated: &Simulated, arguments: &[&str]) -> Output {
    simulated.let_pass(simulated.now_ms() + 10 * MINUTE_MS);
    let mut command = simulated.coinlake(&["backfill"]);
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_past_on_demand_is_as_far_back_as_was_asked() {
    let simulated = first_day(COINS, ", history: off");
    simulated.jump_to(NOW_MS);
    let output = backfill(&simulated, &["--since", "3d"]);
    let filled = said(&output);
    assert!(output.status.success(), "{filled}");
    assert_eq!(simulated.replay.calls(), 2 * COINS as u64 + 1);
    for part in [
        "the past of 10 coins: 20 calls",
        "of the past of 10 coins are filled in",
        "Go on live with: coinlake up\n",
    ] {
        assert!(filled.contains(part), "{part}: {filled}");
    }
    let data = simulated.folder().join("coinlake-data");
    let left = |runtime: &Runtime| runtime.block_on(Left::behind(&data));
    let before = left(simulated.runtime());
    let (clean, rejected) = (before.rows("clean"), before.rows("rejected"));
    assert!(clean > COINS as u64 * (280 + 45), "{clean}");
    assert!(rejected <= 1, "a stale coin's live object: {rejected}");
    println!("{clean} ticks of {DAYS} days, {rejected} rejected");

    // What is there is later than what would be filled in.
    let calls = simulated.replay.calls();
    let output = backfill(
        &simulated,
        &["--since", "2d", "--coins", "bitcoin,ethereum"],
    );
    let refused = said(&output);
    assert_eq!(output.status.code(), Some(1), "{refused}");
    assert!(
        refused.contains("data directory coinlake-data: there is data up to 2026-01-04T0"),
        "{refused}"
    );
    assert!(refused.contains("would be rejected as late"), "{refused}");
    assert_eq!(
        simulated.replay.calls(),
        calls,
        "nothing is asked for in vain"
    );
    left(simulated.runtime()).assert_equals(&before);

    // An `up` goes on from there, and fills in nothing.
    let up = simulated.up(None);
    up.pass_until(simulated.now_ms() + 10 * MINUTE_MS);
    up.health(true, true, &[]);
    for (coin, times) in times(&up.rows("crypto-clean")) {
        let oldest = times.iter().map(|(time, _)| *time).min().unwrap();
        let back = NOW_MS - oldest;
        assert!(back > (DAYS * 24 - 2) * HOUR_MS, "{coin}: {back}");
        let widest = gap_max(times.iter().map(|(time, _)| *time));
        assert!(widest < 3 * HOUR_MS, "{coin}: {widest}");
    }
    let calls_of_up = simulated.replay.calls() - calls;
    assert!(calls_of_up <= 4, "polls and no chart: {calls_of_up}");

    // Beside it, as the message says.
    let (_, command) = refused.split_once("a second data directory: ").unwrap();
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words[..2], ["coinlake", "backfill"]);
    let running = backfill(&simulated, &["--since", "2d"]);
    assert!(said(&running).contains("a coinlake that runs on it has later data"));
    let output = backfill(&simulated, &words[2..]);
    assert!(output.status.success(), "{}", said(&output));
    up.running.interrupt();
    let second = simulated.folder().join("coinlake-data-past");
    let second = simulated.runtime().block_on(Left::behind(&second));
    assert!(
        second.rows("clean") > 2 * (280 + 20),
        "{}",
        second.rows("clean")
    );
}

/// What is left of the past of 50 coins that was killed as soon as so many records were there, and asked for again; `None` where
/// all of them were there before the kill was.
fn killed(enough: Option<i64>) -> Option<Left> {
    let simulated = first_day(50, ", history: off, calls_per_minute: 1000");
    simulated.jump_to(NOW_MS);
    let runtime = simulated.runtime();
    if let Some(enough) = enough {
        let process = Process::start(simulated.coinlake(&["backfill", "--since", "3d"]));
        process.line_after("filling in ");
        runtime.block_on(has_records(&simulated, &process, enough));
        process.kill();
    }
    let mut again = simulated.coinlake(&["backfill", "--since", "3d"]);
    let output = again.output().unwrap();
    let said = said(&output);
    if enough.is_some() && said.contains("there is data up to") {
        return None;
    }
    assert!(output.status.success(), "{said}");
    let goes_on = said.contains("an interrupted filling goes on at 2026-01-0");
    assert_eq!(goes_on, enough.is_some(), "{said}");
    let data = simulated.folder().join("coinlake-data");
    Some(runtime.block_on(Left::behind(&data)))
}

/// Waits until crypto-raw has so many records.
async fn has_records(simulated: &Simulated, process: &Process, enough: i64) {
    let note = fs::read(simulated.folder().join("coinlake-data/coinlake.json")).unwrap();
    let note: Value = serde_json::from_slice(&note).unwrap();
    let broker = note["broker"].as_str().unwrap();
    let client = Cluster::at(broker).connect().await.unwrap();
    let started = Instant::now();
    loop {
        // Without a pause: it takes milliseconds.
        let offsets = reader::offsets(&client, "crypto-raw", 0).await;
        if offsets.unwrap().end >= enough {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{:#?}", process.lines());
    }
}

#[test]
fn a_past_on_demand_that_was_killed_goes_on_with_the_same_command() {
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let golden = killed(None).unwrap();
    let all = golden.rows("raw") as i64;
    assert!(all > 50 * 320, "{all}");
    let mut in_the_middle = 0;
    for _ in 0..faults::times(2, 10) {
        let enough = random.random_range(1..all / 2);
        if let Some(left) = killed(Some(enough)) {
            left.assert_equals(&golden);
            in_the_middle += 1;
        }
    }
    println!("{in_the_middle} kills in the middle of {all} records: every row is there, once");
}
