//! The features against a fresh computation of each, straight from their definitions: out of order, with ties, over a
//! month of minutes, and with thousands of ticks in a window.

use std::f64::consts::TAU;

use market::{Clean, FeatureParams, Featurizer, WindowFeatures};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const MINUTE: i64 = 60_000;

#[derive(Debug, Clone, Copy)]
struct Tick {
    time: i64,
    price: f64,
    volume: Option<f64>,
}

impl Tick {
    fn clean(self, coin: &str) -> Clean<'_> {
        Clean {
            raw_offset: None,
            coin: coin.into(),
            symbol: "sym".into(),
            event_time: self.time,
            fetched_at: None,
            price: self.price,
            market_cap: None,
            volume_24h: self.volume,
            change_24h_pct: None,
            backfilled: false,
        }
    }
}

/// A log_return, fixed on arrival, and the milliseconds it spans.
type LogReturn = Option<(f64, i64)>;

/// One coin as the definitions have it: all ticks seen.
#[derive(Default)]
struct Naive {
    ticks: Vec<(Tick, LogReturn)>,
}

/// A sum that loses nothing worth mentioning (Neumaier).
fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for value in values {
        let total = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - total) + value
        } else {
            (value - total) + sum
        };
        sum = total;
    }
    sum + lost
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values.iter().copied()) / values.len() as f64)
}

fn std(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    (values.len() >= 2).then(|| {
        (sum(values.iter().map(|value| (value - mean).powi(2))) / (values.len() - 1) as f64).sqrt()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

impl Naive {
    /// The log_return of a tick that is new.
    fn log_return(&self, now: Tick) -> LogReturn {
        let before = self.ticks.iter().map(|(tick, _)| tick);
        let before =
            before.filter(|tick| now.time - 15 * MINUTE <= tick.time && tick.time < now.time);
        let prev = before.max_by_key(|tick| tick.time)?;
        Some(((now.price / prev.price).ln(), now.time - prev.time))
    }

    /// Takes a tick without computing its row.
    fn take(&mut self, now: Tick) {
        let log_return = self.log_return(now);
        self.ticks.push((now, log_return));
    }

    fn row(&mut self, now: Tick) -> WindowFeatures {
        assert!(self.ticks.iter().all(|(tick, _)| tick.time != now.time));
        let t = now.time;
        let before: Vec<_> = self
            .ticks
            .iter()
            .copied()
            .filter(|(tick, _)| t - 90 * MINUTE < tick.time && tick.time < t)
            .collect();
        let newest = |from: i64, to: i64| {
            // from < time <= to
            let found = before
                .iter()
                .map(|(tick, _)| tick)
                .filter(|tick| from < tick.time && tick.time <= to);
            found.max_by_key(|tick| tick.time).copied()
        };
        let price_prev = newest(t - 90 * MINUTE, t - 1).map(|tick| tick.price);
        let log_return = self.log_return(now);
        self.ticks.push((now, log_return));

        let window = |minutes: i64| {
            let mut window: Vec<_> = before
                .iter()
                .copied()
                .filter(|(tick, _)| t - minutes * MINUTE < tick.time)
                .collect();
            window.push((now, log_return));
            window
        };
        let ma = |minutes| {
            mean(
                &window(minutes)
                    .iter()
                    .map(|(tick, _)| tick.price)
                    .collect::<Vec<_>>(),
            )
        };
        let samples = |minutes| Some(window(minutes).len() as u32);
        let volatility = |minutes| {
            std(&window(minutes)
                .iter()
                .filter_map(|(_, r)| r.map(|(r, _)| r))
                .collect::<Vec<_>>())
        };
        let return_of = |minutes: i64| {
            let then = newest(t - (minutes + 5) * MINUTE, t - minutes * MINUTE)?;
            Some(now.price / then.price - 1.0)
        };
        let mut baseline: Vec<_> = before
            .iter()
            .filter(|(tick, _)| t - 15 * MINUTE <= tick.time)
            .collect();
        if baseline.len() < 8 {
            baseline = before
                .iter()
                .filter(|(tick, _)| t - 60 * MINUTE <= tick.time)
                .collect();
            baseline.sort_by_key(|(tick, _)| -tick.time);
            baseline.truncate(8);
        }
        let prices: Vec<_> = baseline.iter().map(|(tick, _)| tick.price).collect();
        let volumes: Vec<_> = baseline
            .iter()
            .filter_map(|(tick, _)| tick.volume)
            .collect();
        let zscore_15m = mean(&prices)
            .zip(std(&prices))
            .filter(|_| prices.len() >= 5);
        let zscore_15m = zscore_15m.map(|(mean, std)| (now.price - mean) / std.max(1e-5 * mean));
        let return_zscore_15m = newest(t - 20 * MINUTE, t - 15 * MINUTE).and_then(|then| {
            let usual: Vec<_> = before
                .iter()
                .filter(|(tick, _)| t - 75 * MINUTE < tick.time && tick.time <= then.time)
                .filter_map(|(_, r)| *r)
                .collect();
            let minutes = sum(usual.iter().map(|(_, ms)| *ms as f64)) / MINUTE as f64;
            let sigma = (sum(usual.iter().map(|(r, _)| r * r)) / minutes).sqrt();
            let apart = ((t - then.time) as f64 / MINUTE as f64).sqrt();
            (usual.len() >= 8).then(|| (now.price / then.price).ln() / (sigma.max(1e-5) * apart))
        });
        // Back from t in strides: from a tick to the newest one at least 20 s and at most 10 min older.
        let mut rates = Vec::new();
        let mut from = now;
        while let Some(then) = newest(from.time - 10 * MINUTE - 1, from.time - 20_000)
            && rates.len() < 15
        {
            if let (Some(v), Some(v_then)) = (from.volume, then.volume) {
                let gap = (from.time - then.time) as f64;
                let rate = 1.0 + (v - v_then) / (v_then * gap / 86_400_000.0);
                rates.extend((v_then != 0.0).then_some(rate));
            }
            from = then;
        }
        WindowFeatures {
            features_version: Some(2),
            price_prev,
            ma_1m: ma(1),
            ma_5m: ma(5),
            ma_15m: ma(15),
            samples_1m: samples(1),
            samples_5m: samples(5),
            samples_15m: samples(15),
            log_return: log_return.map(|(r, _)| r),
            volatility_1m: volatility(1),
            volatility_5m: volatility(5),
            volatility_15m: volatility(15),
            return_1m: return_of(1),
            return_5m: return_of(5),
            return_15m: return_of(15),
            zscore_15m,
            return_zscore_15m,
            volume_ma_15m: mean(
                &window(15)
                    .iter()
                    .filter_map(|(tick, _)| tick.volume)
                    .collect::<Vec<_>>(),
            ),
            volume_ratio: now.volume.and_then(|v| {
                mean(&volumes)
                    .filter(|mean| *mean != 0.0)
                    .map(|mean| v / mean)
            }),
            move_15m: zscore_15m
                .and(mean(&prices))
                .map(|mean| now.price / mean - 1.0),
            volume_surge: (rates.len() >= 8).then(|| median(rates)),
        }
    }

    /// Forgets what no later tick can ask about, to stay fast.
    fn forget_before(&mut self, time: i64) {
        self.ticks.retain(|(tick, _)| tick.time >= time);
    }
}

/// Equal to 1e-9 relative. The absolute slack is what rounding the inputs of a difference may cost: a z-score takes
/// the difference of a price and a mean, in units no smaller than 1e-5 of them; a deviation that of log_returns; a move that of a
/// quotient and 1.
#[track_caller]
fn assert_agree(ours: &WindowFeatures, naive: &WindowFeatures, context: &str) {
    let close = |name: &str, ours: Option<f64>, naive: Option<f64>, slack: f64| match (ours, naive)
    {
        (None, None) => {}
        (Some(a), Some(b)) => assert!(
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) + slack,
            "{name}: {a:e} where a fresh computation gives {b:e}, {context}"
        ),
        other => panic!("{name}: {other:?}, {context}"),
    };
    macro_rules! close {
        ($($name:ident $slack:expr),*) => {
            $(close(stringify!($name), ours.$name, naive.$name, $slack);)*
        };
    }
    close!(
        ma_1m 0.0, ma_5m 0.0, ma_15m 0.0, log_return 1e-16,
        volatility_1m 1e-15, volatility_5m 1e-15, volatility_15m 1e-15,
        return_1m 0.0, return_5m 0.0, return_15m 0.0,
        zscore_15m 1e-9, return_zscore_15m 1e-11, volume_ma_15m 0.0, volume_ratio 0.0,
        move_15m 1e-15, volume_surge 0.0, price_prev 0.0
    );
    let counts = |row: &WindowFeatures| {
        (
            row.features_version,
            row.samples_1m,
            row.samples_5m,
            row.samples_15m,
        )
    };
    assert_eq!(counts(ours), counts(naive), "{context}");
}

fn volume() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![1 => Just(None), 1 => Just(Some(0.0)), 8 => (1e3..1e12_f64).prop_map(Some)]
}

fn price() -> impl Strategy<Value = f64> {
    // Around a level, so that deviations are small; and anything at all.
    prop_oneof![4 => 99.0..101.0_f64, 2 => Just(100.0), 1 => (-9.0..9.0_f64).prop_map(|e| 10_f64.powf(e))]
}

/// Steps in time, forwards and backwards, on the marks where windows begin and end and beside them.
fn step() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => Just(MINUTE),
        3 => -6..6_i64,
        3 => (-20..20_i64).prop_map(|minutes| minutes * MINUTE),
        2 => (-20..20_i64, -1..=1_i64).prop_map(|(minutes, ms)| minutes * MINUTE + ms),
        2 => -200_000..200_000_i64,
        1 => 0..40 * MINUTE,
        // On the marks of the look-back and its stretches, and of strides.
        1 => (prop::sample::select(vec![60, 75, 90]), -1..=1_i64).prop_map(|(minutes, ms)| minutes * MINUTE + ms),
        2 => (prop::sample::select(vec![20_000, 600_000]), -1..=1_i64).prop_map(|(mark, ms)| mark + ms),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn out_of_order_and_with_gaps(
        steps in prop::collection::vec((step(), price(), volume()), 1..120),
    ) {
        let mut featurizer = Featurizer::new(FeatureParams::default());
        let mut naive = Naive::default();
        let mut time = 1_700_000_000_000;
        let mut watermark = i64::MIN;
        for (step, price, volume) in steps {
            time += step;
            watermark = watermark.max(time);
            let tick = Tick { time, price, volume };
            let row = featurizer.row(tick.clean("c"));
            if time < watermark - 60 * MINUTE {
                prop_assert_eq!(row.windows, WindowFeatures::undefined());
            } else if naive.ticks.iter().all(|(held, _)| held.time != time) {
                assert_agree(&row.windows, &naive.row(tick), &format!("at {time}"));
            }
            time = time.max(watermark - 70 * MINUTE);
        }
    }

    #[test]
    fn the_same_time_again_gives_the_first_row_again(
        steps in prop::collection::vec((step(), price(), volume()), 2..80),
        again in any::<prop::sample::Index>(),
    ) {
        let mut featurizer = Featurizer::new(FeatureParams::default());
        let mut rows = Vec::new();
        let mut time = 1_700_000_000_000;
        for (step, price, volume) in steps {
            time += step;
            let row = featurizer.row(Tick { time, price, volume }.clean("c"));
            rows.push(row);
        }
        let oldest = featurizer.watermark().unwrap() - 60 * MINUTE;
        rows.retain(|row| row.clean.event_time >= oldest);
        let time = again.get(&rows).clean.event_time;
        let first = rows.iter().find(|row| row.clean.event_time == time).unwrap();
        let again = featurizer.row(Tick { time, price: 7.0, volume: None }.clean("c"));
        prop_assert_eq!(&again, first);
    }
}

/// A deterministic stand-in for noise, between -1 and 1.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

#[test]
fn a_tick_of_the_last_hour_gives_its_first_row_again_at_any_time_of_a_day() {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let mut rows = Vec::new();
    for minute in 0..1_440 {
        let tick = |minute: i64, price: f64| Tick {
            time: 1_700_000_000_000 + minute * MINUTE,
            price,
            volume: Some(1e9 + minute as f64),
        };
        let clean = Clean {
            fetched_at: Some(minute),
            ..tick(minute, 100.0 + noise(minute as u64)).clean("c")
        };
        rows.push(featurizer.row(clean));
        let earlier = minute - (minute % 61).min(minute);
        let again = featurizer.row(tick(earlier, 7.0).clean("c"));
        assert_eq!(again, rows[earlier as usize]);
    }
}

#[test]
fn a_month_of_minutes_does_not_drift() {
    // Bitcoin-like, a coin at 1e-7 USD, and one that never moves.
    for (coin, level, wiggle) in [("a", 105_000.0, 1e-4), ("b", 2.2e-7, 1e-2), ("c", 1.0, 0.0)] {
        let mut featurizer = Featurizer::new(FeatureParams::default());
        let mut naive = Naive::default();
        let mut price = level;
        let mut volume = level * 1e5;
        for minute in 0..43_200_i64 {
            let seed = minute as u64;
            price = (price * (1.0 + wiggle * noise(seed)) / level).clamp(0.1, 10.0) * level;
            volume *=
                1.0 + 1e-3 * noise(seed + 1_000_000) + 1e-3 * (minute as f64 / 1440.0 * TAU).cos();
            // Once a day it jumps by six orders of magnitude and back, which running sums never forget.
            let jump = if minute % 1440 == 700 { 1e6 } else { 1.0 };
            let time =
                1_700_000_000_000 + minute * MINUTE + (noise(seed + 2_000_000) * 3000.0) as i64;
            let tick = Tick {
                time,
                price: price * jump,
                volume: Some(volume * jump),
            };
            let row = featurizer.row(tick.clean(coin));
            assert_agree(
                &row.windows,
                &naive.row(tick),
                &format!("{coin}, minute {minute}"),
            );
            naive.forget_before(time - 91 * MINUTE);
        }
    }
}

#[test]
fn thousands_of_ticks_in_a_window() {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let mut naive = Naive::default();
    for tick in 0..40_000_i64 {
        let seed = tick as u64;
        // 20 a second, with some that come up to 10 s late, at any millisecond, and a pause in which windows empty.
        let pause = if tick > 25_000 { 10 * MINUTE } else { 0 };
        let late = if tick % 7 == 0 {
            (noise(seed) * 5_000.0) as i64 - 5_000
        } else {
            0
        };
        let time = 1_700_000_000_000 + tick * 50 + pause + late;
        let price = 100.0 + noise(seed + 5_000_000);
        let volume = (tick % 11 != 0).then_some(1e9 + 1e6 * noise(seed + 6_000_000));
        let tick_now = Tick {
            time,
            price,
            volume,
        };
        if naive.ticks.iter().any(|(held, _)| held.time == time) {
            featurizer.row(tick_now.clean("c"));
            continue;
        }
        let row = featurizer.row(tick_now.clean("c"));
        if tick % 97 == 0 {
            assert_agree(&row.windows, &naive.row(tick_now), &format!("tick {tick}"));
        } else {
            naive.take(tick_now);
        }
    }
}
