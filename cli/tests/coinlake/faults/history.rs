//! The past of a market: full after the first minute, without a hole after hours away, whole after a kill -9 in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use fixtures::patience::PATIENCE;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::{Faults, FieldMarket, FieldSettings};
use serde_json::Value;

use super::Left;
use super::simulated::{Simulated, Up};
use crate::observe::receiver::Receiver;
use crate::rows::Rows;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// 2026-01-01T00:00:00Z.
pub(super) const START_MS: i64 = 1_767_225_600_000;
pub(super) const FIRST_UP_MS: i64 = START_MS + 26 * HOUR_MS;
const COINS: usize = 10;
/// Of one poll to the next, with a demo key.
const POLL_MS: i64 = 300_000;

/// Somebody's first day with `up`, a day and two hours into a market.
pub(super) fn first_day(coins: usize, more: &str) -> Simulated {
    let market = FieldMarket::new(FieldSettings {
        coins: 60,
        start_ms: START_MS,
        minutes: 4 * 1_440,
        faults: Faults {
            odd_coins: false,
            frozen: false,
            refusals: false,
            ..Faults::ALL
        },
        ..FieldSettings::default()
    });
    let simulated = Simulated::from(market, FIRST_UP_MS);
    let settings = format!(
        "coingecko: {{base_url: {}, top: {coins}, calls_file: calls.json{more}}}\nbroker: {{listen: 0}}\nconsole: 0\n\
         metrics: 0\ncommit_interval: 30m\n",
        simulated.replay.base_url()
    );
    fs::write(simulated.folder().join("coinlake.yaml"), settings).unwrap();
    simulated
}

/// The event times of each coin, and whether they are of the past.
pub(super) fn times(rows: &Rows) -> BTreeMap<String, Vec<(i64, bool)>> {
    let mut times: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
    for row in rows {
        let coin = row["coin"].as_str().unwrap().to_owned();
        let backfilled = row.get("backfilled") == Some(&Value::Bool(true));
        let time = row["event_time"].as_i64().unwrap();
        times.entry(coin).or_default().push((time, backfilled));
    }
    times
}

pub(super) fn gap_max(times: impl IntoIterator<Item = i64>) -> i64 {
    let times: Vec<i64> = times
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    times
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap_or(0)
}

/// No coin has a longer gap than its chart and a poll.
fn assert_no_hole(simulated: &Simulated, up: &Up<'_>) {
    let clean = up.rows("crypto-clean");
    let rejected = up.rows("crypto-rejected");
    let of_the_past = rejected
        .iter()
        .filter(|row| row["raw"].to_string().contains("backfilled"));
    assert_eq!(of_the_past.count(), 0, "{rejected:#?}");
    for (coin, times) in times(&clean) {
        let chart = simulated.chart(&coin);
        let widest = gap_max(chart.iter().map(|(time, _)| *time));
        let found = gap_max(times.iter().map(|(time, _)| *time));
        assert!(
            found <= widest + POLL_MS,
            "{coin}: {found} ms, in the chart {widest} ms"
        );
    }
}

#[test]
fn the_first_minute_has_a_day() {
    let simulated = first_day(COINS, "");
    let up = simulated.up(None);
    // Of the plan's 30 calls a minute 8 go at once; the others wait for a clock that stands.
    up.health(false, false, &["backfilling 7 of 10 coins"]);
    let problems = up.problems();
    assert!(!problems.contains("crypto-clean"), "not stale: {problems}");
    up.first_live();
    assert_eq!(simulated.replay.calls(), COINS as u64 + 1);
    up.pass_until(FIRST_UP_MS + MINUTE_MS);
    assert!(simulated.now_ms() <= FIRST_UP_MS + MINUTE_MS);
    let features = up.rows("crypto-features");
    let mut fewest = usize::MAX;
    for (coin, times) in times(&features) {
        let past = times.iter().filter(|(_, backfilled)| *backfilled).count();
        fewest = fewest.min(past);
        assert!(past >= 280, "{coin}: {past}");
        let live = features
            .iter()
            .find(|row| row["coin"] == *coin && !row.contains_key("backfilled"));
        let live = live.unwrap_or_else(|| panic!("{coin} has no live tick"));
        assert!(live["zscore_15m"].is_f64(), "{live:?}");
    }
    assert_no_hole(&simulated, &up);
    let page = up.console("/api/history?coin=bitcoin&minutes=1440");
    let page: Value = serde_json::from_str(&page).unwrap();
    let drawn = page["points"]["time"].as_array().unwrap().len();
    assert!(drawn >= 280, "{drawn}");
    println!("{fewest} ticks of the past day at least, {drawn} of bitcoin on the page");
    up.health(true, true, &[]);
    up.running.interrupt();
}

/// Nothing new comes in the twelve minutes that 51 calls take.
#[test]
fn nobody_is_told_of_silence_while_the_past_is_filled_in() {
    let simulated = first_day(50, ", calls_per_minute: 5");
    let receiver = Receiver::start(vec![]);
    let up = simulated.up(Some(&receiver.url));
    for minute in 1..=20 {
        up.pass_until(FIRST_UP_MS + minute * MINUTE_MS);
        if minute == 11 {
            assert!(!up.is_live());
            up.health(false, false, &["backfilling"]);
        }
    }
    assert!(up.is_live());
    let mut messages = receiver.messages();
    messages.retain(|message| message.body["type"] == "feed");
    assert!(messages.is_empty(), "{messages:?}");
    up.running.interrupt();
}

#[test]
fn hours_away_leave_no_hole() {
    let simulated = first_day(COINS, "");
    let up = simulated.up(None);
    up.first_live();
    up.pass_until(FIRST_UP_MS + HOUR_MS);
    up.running.interrupt();
    let away = FIRST_UP_MS + 7 * HOUR_MS;
    simulated.jump_to(away);
    let calls = simulated.replay.calls();
    let up = simulated.up(None);
    up.pass_until(away + MINUTE_MS);
    assert_eq!(simulated.replay.calls() - calls, COINS as u64 + 1);
    assert_no_hole(&simulated, &up);
    // The same for a machine that sleeps, without a restart.
    let asleep = away + 6 * HOUR_MS;
    simulated.jump_to(asleep);
    up.pass_until(asleep + 10 * MINUTE_MS);
    assert_no_hole(&simulated, &up);
    let filled = up
        .rows("crypto-clean")
        .iter()
        .filter(|row| row.contains_key("backfilled"))
        .count();
    assert!(filled > COINS * (280 + 2 * 65), "{filled}");
    up.running.interrupt();
}

/// What is left of a first day that was killed as soon as so many records were there, once for each, and how many were when
/// it was.
fn killed(enough: &[i64]) -> (Left, Vec<i64>) {
    // Of the past of 50 coins, without waiting for the plan: its clock stands still.
    let simulated = first_day(50, ", calls_per_minute: 1000");
    let mut records = Vec::new();
    for &enough in enough {
        let up = simulated.up(None);
        let started = Instant::now();
        // Without a pause: it takes milliseconds.
        while up.records("crypto-raw") < enough && !up.is_live() {
            assert!(started.elapsed() < PATIENCE, "{:#?}", up.running.lines());
        }
        records.push(up.records("crypto-raw"));
        up.running.kill();
    }
    let up = simulated.up(None);
    up.first_live();
    up.pass_until(simulated.now_ms());
    up.all_read();
    up.running.interrupt();
    let data = simulated.folder().join("coinlake-data");
    (simulated.runtime().block_on(Left::behind(&data)), records)
}

#[test]
fn killed_at_any_moment_every_row_is_there_once() {
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let (golden, _) = killed(&[]);
    let all = golden.rows("raw") as i64;
    assert!(all > 50 * 270 && golden.rows("rejected") == 0, "{all}");
    let (mut kills, mut in_the_middle) = (0, 0);
    for _ in 0..faults::times(2, 25) {
        let mut enough = [random.random_range(0..all), random.random_range(0..all)];
        enough.sort_unstable();
        let (left, records) = killed(&enough);
        kills += records.len();
        in_the_middle += records
            .iter()
            .filter(|&&some| some > 0 && some < all - 50)
            .count();
        left.assert_equals(&golden);
    }
    println!(
        "{kills} kills, {in_the_middle} of them in the middle of {all} records: every row is there, once"
    );
}
