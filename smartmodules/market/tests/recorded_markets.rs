//! Alerts on markets that were: how often people are told of nothing, and whether they are told of what is there.
//!
//! The recordings are read in place; without them the tests say that they are skipped.

#![allow(clippy::unwrap_used)] // Clippy sees no tests in the helpers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMillisecondType};
use market::{
    AnomalyParams, AnomalyRule, Clean, FeatureParams, Features, Featurizer, Severity, Sighting,
    episodes,
};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

const MINUTE: i64 = 60_000;
const DAY: f64 = 86_400_000.0;

/// 19 days of seven coins, a tick a minute, from the bars of an exchange.
const MINUTES: &str = "market-2025-06-dev.parquet";
/// Pairs of consecutive updates of CoinGecko, 15 s to 10 min apart.
const STEPS: &str = "coingecko/steps-15s-to-10min.parquet";
/// Replies of CoinGecko, most of them half an hour apart.
const REPLIES: &str = "coingecko/replies-top100-2025-10-to-2026-07.parquet";

#[derive(Debug, Clone, Copy)]
struct Tick {
    time: i64,
    price: f64,
    volume: f64,
}

/// A recording's batches; `None`, with a word, where there is no recording.
fn recording(name: &str) -> Option<Vec<RecordBatch>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let path = folder.join(name);
    let Ok(file) = File::open(&path) else {
        println!("skipped: no recording at {}", path.display());
        return None;
    };
    // Without the writer's hints, all strings are plain.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, plain).unwrap();
    Some(
        reader
            .build()
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
    )
}

fn numbers<'a>(batch: &'a RecordBatch, name: &str) -> &'a [f64] {
    let column = batch.column_by_name(name).unwrap();
    column.as_primitive::<Float64Type>().values()
}

fn times(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let column = batch.column_by_name(name).unwrap();
    let times = column.as_primitive::<TimestampMillisecondType>();
    times.iter().collect()
}

fn coins(batch: &RecordBatch) -> Vec<String> {
    let coins = batch.column_by_name("coin").unwrap().as_string::<i32>();
    coins.iter().map(|coin| coin.unwrap().to_owned()).collect()
}

/// The minutes of each coin, in order.
fn minutes() -> Option<BTreeMap<String, Vec<Tick>>> {
    let mut market: BTreeMap<String, Vec<Tick>> = BTreeMap::new();
    for batch in recording(MINUTES)? {
        let prices = numbers(&batch, "price_usd");
        let volumes = numbers(&batch, "volume_24h_usd");
        let times = times(&batch, "event_time");
        for (row, coin) in coins(&batch).into_iter().enumerate() {
            market.entry(coin).or_default().push(Tick {
                time: times[row].unwrap(),
                price: prices[row],
                volume: volumes[row],
            });
        }
    }
    for ticks in market.values_mut() {
        ticks.sort_by_key(|tick| tick.time);
    }
    Some(market)
}

/// The features of one coin's ticks.
fn features(ticks: impl IntoIterator<Item = Tick>) -> impl Iterator<Item = Features<'static>> {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    ticks.into_iter().map(move |tick| {
        featurizer.row(Clean {
            raw_offset: None,
            coin: "coin".into(),
            symbol: "c".into(),
            event_time: tick.time,
            fetched_at: None,
            price: tick.price,
            market_cap: None,
            volume_24h: Some(tick.volume),
            change_24h_pct: None,
            backfilled: false,
        })
    })
}

/// The alerts of one coin's ticks, at the default bounds.
fn alerts(ticks: impl IntoIterator<Item = Tick>) -> Vec<Sighting> {
    let rule = AnomalyRule::new(AnomalyParams::default());
    let alert = |row: Features<'_>| {
        Some(Sighting {
            event_time: row.clean.event_time,
            price: row.clean.price,
            severity: rule.judge_row(&row)?.severity,
            moved: Sighting::moved(row.windows.move_15m, row.windows.return_15m),
        })
    };
    features(ticks).filter_map(alert).collect()
}

/// Episodes of at least this severity a coin and day.
fn a_coin_and_day(
    market: &BTreeMap<String, Vec<Tick>>,
    severity: Severity,
    polled: impl Fn(&Tick) -> bool,
) -> f64 {
    let (mut count, mut days) = (0, 0.0);
    for ticks in market.values() {
        let alerts = alerts(ticks.iter().copied().filter(|tick| polled(tick)));
        let severe = alerts
            .into_iter()
            .filter(|alert| alert.severity >= severity);
        count += episodes(severe).len();
        days += (ticks[ticks.len() - 1].time - ticks[0].time) as f64 / DAY;
    }
    count as f64 / days
}

/// Critical episodes and those of warning or worse, a coin and day: polled every minute, and every five, the mean of the five
/// minutes that may be seen.
fn every_minute_and_every_five(market: &BTreeMap<String, Vec<Tick>>) -> [(f64, f64); 2] {
    let of = |polled: &dyn Fn(&Tick) -> bool| {
        let of = |severity| a_coin_and_day(market, severity, polled);
        (of(Severity::Critical), of(Severity::Warning))
    };
    let (mut critical, mut warning) = (0.0, 0.0);
    for phase in 0..5 {
        let of_phase = of(&|tick| tick.time.div_euclid(MINUTE).rem_euclid(5) == phase);
        critical += of_phase.0 / 5.0;
        warning += of_phase.1 / 5.0;
    }
    let rates = [of(&|_| true), (critical, warning)];
    for ((critical, warning), every) in rates.into_iter().zip(["60 s", "300 s"]) {
        println!("every {every}: {critical:.3} critical, {warning:.3} warning a coin and day");
    }
    rates
}

/// At most one critical episode a coin a week, and one of warning or worse a day; also polled every 300 s, at which a demo key's
/// month lasts.
#[test]
fn a_lively_market_stays_within_the_alert_budget() {
    let Some(market) = minutes() else { return };
    for (critical, warning) in every_minute_and_every_five(&market) {
        assert!((0.02..=1.0 / 7.0).contains(&critical), "{critical}");
        assert!((0.1..=1.0).contains(&warning), "{warning}");
    }
}

/// The same market with every move half as large again: still nothing that people would switch off.
#[test]
fn a_livelier_market_is_told_of_a_little_more() {
    let Some(mut market) = minutes() else { return };
    for ticks in market.values_mut() {
        let first = ticks[0].price;
        for tick in ticks {
            tick.price = first * (tick.price / first).powf(1.5);
        }
    }
    for (critical, warning) in every_minute_and_every_five(&market) {
        assert!(critical <= 0.45, "{critical}");
        assert!(warning <= 1.3, "{warning}");
    }
}

/// The share of windows of the recording, six hours apart, in which an alert of this severity comes when `change` changes each tick
/// of 20 minutes. It gets the minutes since the change began, and 1.0 or -1.0 in turns.
fn told(
    market: &BTreeMap<String, Vec<Tick>>,
    severity: Severity,
    change: impl Fn(Tick, i32, f64) -> Tick,
) -> f64 {
    let (mut told, mut changes) = (0, 0);
    for ticks in market.values() {
        for (window, sign) in ticks.chunks_exact(360).zip([1.0, -1.0].into_iter().cycle()) {
            // With what the features look back at.
            let begin = window[120].time;
            let changed = window[..140].iter().zip(-119_i32..);
            let changed = changed.map(|(tick, minute)| match minute {
                ..=0 => *tick,
                minute => change(*tick, minute, sign),
            });
            let severe = |alert: &Sighting| alert.event_time >= begin && alert.severity >= severity;
            changes += 1;
            told += i32::from(alerts(changed).iter().any(severe));
        }
    }
    f64::from(told) / f64::from(changes)
}

/// Moves put into the recording, in equal steps: of 3 % a warning, of 5 % critical, however slow.
#[test]
fn moves_that_people_want_to_know_of_are_told() {
    let Some(market) = minutes() else { return };
    for (size, severity) in [(0.03, Severity::Warning), (0.05, Severity::Critical)] {
        for minutes in [1, 5, 15] {
            let share = told(&market, severity, |tick, minute, sign| {
                let part = f64::from(minute.min(minutes)) / f64::from(minutes);
                let price = tick.price * (1.0 + sign * size * part);
                Tick { price, ..tick }
            });
            println!(
                "{size} in {minutes} min: {share:.3} are {}",
                severity.as_str()
            );
            assert!(share >= 0.95, "{share} of {size} in {minutes} min");
        }
    }
}

/// Bursts of trading put into the recording: a warning.
#[test]
fn bursts_that_people_want_to_know_of_are_told() {
    let Some(market) = minutes() else { return };
    for times in [8.0, 10.0, 20.0] {
        let share = told(&market, Severity::Warning, |tick, minute, _| {
            let added = (times - 1.0) * f64::from(minute) / 1_440.0;
            let volume = tick.volume * (1.0 + added);
            Tick { volume, ..tick }
        });
        println!("{times} times the average for 20 min: {share:.3} are warnings");
        assert!(share >= 0.95, "{share} of {times}");
    }
}

/// The share of updates that are a warning or worse: 11 % where a single step of the volume was taken at its word.
#[test]
fn coingeckos_noise_is_not_an_event() {
    let Some(batches) = recording(STEPS) else {
        return;
    };
    let mut ticks: BTreeMap<String, BTreeMap<i64, Tick>> = BTreeMap::new();
    let mut updates: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for batch in batches {
        let times = times(&batch, "event_time");
        let gaps = batch.column_by_name("gap_ms").unwrap();
        let gaps = gaps.as_primitive::<Int32Type>();
        let [price_before, price, volume_before, volume] =
            ["price_before", "price", "volume_before", "volume"].map(|name| numbers(&batch, name));
        for (row, coin) in coins(&batch).into_iter().enumerate() {
            let time = times[row].unwrap();
            let before = time - i64::from(gaps.value(row));
            let ticks = ticks.entry(coin.clone()).or_default();
            ticks.entry(before).or_insert(Tick {
                time: before,
                price: price_before[row],
                volume: volume_before[row],
            });
            ticks.entry(time).or_insert(Tick {
                time,
                price: price[row],
                volume: volume[row],
            });
            updates.entry(coin).or_default().insert(time);
        }
    }
    let told = ticks.into_iter().map(|(coin, ticks)| {
        let alerts = alerts(ticks.into_values()).into_iter();
        alerts
            .filter(|alert| alert.severity >= Severity::Warning)
            .filter(|alert| updates[&coin].contains(&alert.event_time))
            .count()
    });
    let told: usize = told.sum();
    let updates: usize = updates.values().map(BTreeSet::len).sum();
    println!("{told} of {updates} updates are a warning or worse");
    assert!(updates > 100_000);
    assert!(told * 100 < updates, "{told} of {updates}");
}

/// Half an hour apart there is little to compare with: nothing fires, and a stablecoin least of all.
#[test]
fn replies_half_an_hour_apart_fire_nothing() {
    let Some(batches) = recording(REPLIES) else {
        return;
    };
    let mut market: BTreeMap<String, BTreeMap<i64, Tick>> = BTreeMap::new();
    for batch in batches {
        let times = times(&batch, "last_updated");
        let prices = numbers(&batch, "price_usd");
        let volumes = numbers(&batch, "volume_24h_usd");
        for (row, coin) in coins(&batch).into_iter().enumerate() {
            let Some(time) = times[row] else { continue };
            let tick = Tick {
                time,
                price: prices[row],
                volume: volumes[row],
            };
            if tick.price > 0.0 {
                market.entry(coin).or_default().entry(time).or_insert(tick);
            }
        }
    }
    let (mut updates, mut told) = (0, 0);
    for ticks in market.into_values() {
        updates += ticks.len();
        let alerts = alerts(ticks.into_values()).into_iter();
        told += alerts
            .filter(|alert| alert.severity >= Severity::Warning)
            .count();
    }
    println!("{told} of {updates} updates are a warning or worse");
    assert!(updates > 700_000);
    assert!(told * 1_000 < updates, "{told} of {updates}");
}
