//! A month of `coinlake up` with a demo key against the field market, in minutes: within the plan's calls, spread over the
//! month, with rows of every day, memory flat, and health red while CoinGecko is frozen and green again after it. In every run
//! of the tests it is the last day of a month in which few calls are left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use faults::Vitals;
use fixtures::{rows, tables};
use replay::{Faults, FieldMarket, FieldSettings};
use serde_json::Value;

use super::simulated::{COINS, Simulated, Up};
use crate::observe::receiver::Receiver;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-01-01T00:00:00Z, and a month later.
const JANUARY_MS: i64 = 1_767_225_600_000;
const FEBRUARY_MS: i64 = JANUARY_MS + 31 * DAY_MS;
const END_MS: i64 = FEBRUARY_MS + 6 * HOUR_MS;
/// The calls of a demo key, and the interval that makes them last.
const CALLS_A_MONTH: u64 = 10_000;
const INTERVAL_MS: i64 = 300_000;
/// When health is looked at, after a frozen stretch has begun and after it has ended.
const FROZEN_FOR_MS: i64 = 70 * MINUTE_MS;
const OVER_FOR_MS: i64 = 20 * MINUTE_MS;
/// What memory may have grown by from the hours after the first day to the last ones of the month.
const GROWTH_MAX: f64 = 1.1;

/// What is looked at when a time has come.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    Hour,
    Restart,
    Frozen,
    Over,
}

fn market(start_ms: i64, seed: u64) -> FieldMarket {
    FieldMarket::new(FieldSettings {
        seed,
        coins: COINS,
        start_ms,
        minutes: u32::try_from((END_MS - start_ms) / MINUTE_MS).unwrap(),
        faults: Faults {
            odd_coins: false,
            ..Faults::ALL
        },
        ..FieldSettings::default()
    })
}

/// The frozen stretches of the month that are long enough to be found.
fn frozen(market: &FieldMarket) -> Vec<(i64, i64)> {
    let start_ms = market.settings().start_ms;
    let mut spells = market.frozen();
    spells.retain(|(from, to)| {
        *from > start_ms + 4 * HOUR_MS
            && to - from > FROZEN_FOR_MS + 10 * MINUTE_MS
            && *to < FEBRUARY_MS - HOUR_MS
    });
    spells
}

#[test]
fn a_month_with_a_demo_key() {
    let (start_ms, spent) = match faults::is_long() {
        true => (JANUARY_MS, 0),
        false => (FEBRUARY_MS - DAY_MS, CALLS_A_MONTH - 200),
    };
    // One that has a frozen stretch, and none at once.
    let mut seeds = faults::seed()..;
    let market = seeds.find_map(|seed| {
        let market = market(start_ms, seed);
        let mut all = market.frozen().into_iter();
        let begins_well = all.all(|(from, _)| from > start_ms + 4 * HOUR_MS);
        (begins_well && !frozen(&market).is_empty()).then_some(market)
    });
    let market = market.unwrap();
    let frozen = frozen(&market);
    let minutes = |(from, to): (i64, i64)| ((from - start_ms) / MINUTE_MS, (to - from) / MINUTE_MS);
    let spells: Vec<_> = market.frozen().into_iter().map(minutes).collect();
    let seed = market.settings().seed;
    println!("market {seed}, frozen (after, for) minutes: {spells:?}");
    let mut times = BTreeMap::new();
    for time_ms in (start_ms + HOUR_MS..=END_MS).step_by(HOUR_MS as usize) {
        times.insert(time_ms, Look::Hour);
    }
    times.insert(start_ms + 2 * HOUR_MS, Look::Restart);
    // A poll at the turn of the month is one of the next.
    times.insert(FEBRUARY_MS - 1, Look::Hour);
    for (from, to) in frozen {
        times.insert(from + FROZEN_FOR_MS, Look::Frozen);
        times.insert(to + OVER_FOR_MS, Look::Over);
    }

    let simulated = Simulated::new(market);
    if spent > 0 {
        let count = format!(r#"{{"month":"2026-01","calls":{spent}}}"#);
        fs::write(simulated.calls_file(), count).unwrap();
    }
    let receiver = Receiver::start(vec![]);
    let mut up = simulated.up(Some(&receiver.url));
    up.first_poll();
    let (mut calls, mut of_january, mut memory_mb) = (Vec::new(), 0, Vec::new());
    for (time_ms, look) in times {
        up.pass_until(time_ms);
        match look {
            Look::Hour => {
                let vitals = Vitals::of(up.running.id()).unwrap();
                memory_mb.push((time_ms, vitals.resident_mb()));
            }
            Look::Restart => {
                up.running.interrupt();
                up = simulated.up(Some(&receiver.url));
            }
            Look::Frozen => is_red(&up, &receiver),
            Look::Over => is_green(&up, &receiver),
        }
        if time_ms == FEBRUARY_MS - 1 {
            of_january = simulated.replay.calls();
        }
        if (time_ms - start_ms) % DAY_MS == 0 {
            calls.push(simulated.replay.calls());
        }
    }
    up.health(true, true, &[]);
    let count = fs::read(simulated.calls_file()).unwrap();
    let count: Value = serde_json::from_slice(&count).unwrap();
    up.running.interrupt();

    let days = calls.len();
    let all = simulated.replay.calls();
    println!(
        "{days} days: {of_january} calls in January, {} since",
        all - of_january
    );
    let (after_a_day, at_the_end) = (
        memory_in(&memory_mb, start_ms + DAY_MS),
        memory_in(&memory_mb, FEBRUARY_MS - 6 * HOUR_MS),
    );
    let days_mb: Vec<f64> = (0..days as i64)
        .map(|day| memory_in(&memory_mb, start_ms + day * DAY_MS + 12 * HOUR_MS))
        .collect();
    println!("memory in MB, day by day: {days_mb:.0?}");
    let most = memory_mb.iter().map(|(_, mb)| *mb).fold(0.0, f64::max);
    println!(
        "memory: {after_a_day:.0} MB after a day, {at_the_end:.0} MB at the end, {most:.0} MB at most"
    );
    assert!(of_january + spent <= CALLS_A_MONTH);
    let wanted = (DAY_MS * days as i64 / INTERVAL_MS)
        .unsigned_abs()
        .min(CALLS_A_MONTH - spent);
    assert!(
        of_january * 100 >= wanted * 97,
        "{of_january} calls of {wanted}"
    );
    assert_eq!(count["month"], "2026-02");
    assert_eq!(count["calls"], all - of_january);
    let a_day: Vec<u64> = calls.windows(2).map(|calls| calls[1] - calls[0]).collect();
    let usual = (DAY_MS / INTERVAL_MS).unsigned_abs();
    assert!(
        a_day
            .iter()
            .all(|calls| (usual * 9 / 10..=usual * 12 / 10).contains(calls)),
        "{a_day:?}"
    );
    has_every_day(&simulated.lake(), start_ms);
    // A day more or less is no growth.
    if faults::is_long() {
        assert!(at_the_end < after_a_day * GROWTH_MAX, "memory grows");
    }
}

/// The median of six hours.
fn memory_in(memory_mb: &[(i64, f64)], from_ms: i64) -> f64 {
    let hours = memory_mb
        .iter()
        .filter(|(time_ms, _)| (from_ms..from_ms + 6 * HOUR_MS).contains(time_ms));
    let mut sorted: Vec<f64> = hours.map(|(_, mb)| *mb).collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Health, its exit code, readiness and the webhook say that nothing new comes.
fn is_red(up: &Up<'_>, receiver: &Receiver) {
    let problems = [
        "nothing new has come for",
        "coingecko-source: CoinGecko's replies are frozen",
    ];
    up.health(false, false, &problems);
    told(receiver, false);
}

/// They say that all is well.
fn is_green(up: &Up<'_>, receiver: &Receiver) {
    up.health(true, true, &[]);
    told(receiver, true);
}

/// Waits until the last that was said about the feed is this.
fn told(receiver: &Receiver, well: bool) {
    let said = || {
        let messages = receiver.messages();
        let mut feed = messages
            .iter()
            .filter(|message| message.body["type"] == "feed");
        (feed.next_back()?.body["data"]["ok"] == well).then_some(())
    };
    fixtures::patience::wait_for("news of the feed", said, || {
        format!("{:?}", receiver.messages())
    });
}

/// The lake has its share of every day, and what was rejected was rejected for what the market does.
fn has_every_day(lake: &Path, start_ms: i64) {
    let mut rows_of = BTreeMap::new();
    for file in tables::snapshot(lake, "clean").unwrap().files() {
        *rows_of.entry(file.date.clone()).or_insert(0) += file.rows;
    }
    println!("clean rows: {rows_of:?}");
    // The first is one that ended minutes before the start, the last is one that has only begun.
    let days = usize::try_from((FEBRUARY_MS - start_ms) / DAY_MS).unwrap();
    let whole: Vec<u64> = rows_of.into_values().rev().skip(1).take(days).collect();
    let most = whole.iter().copied().max().unwrap();
    assert_eq!(whole.len(), days);
    assert!(whole.iter().all(|rows| rows * 3 > most), "{whole:?}");

    let mut reasons = BTreeMap::new();
    for row in rows::layer(lake, "rejected") {
        *reasons
            .entry(row["reason"].as_str().unwrap().to_owned())
            .or_insert(0) += 1;
    }
    println!("rejected: {reasons:?}");
    let expected = ["duplicate", "late", "missing_field"];
    assert!(
        reasons
            .keys()
            .all(|reason| expected.contains(&reason.as_str())),
        "{reasons:?}"
    );
}
