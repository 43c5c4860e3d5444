//! A synthetic market: ten coins, a tick a minute, and a truth that is known.
//!
//! Always true: everything follows from the seed and the length; nothing else, no clock, is asked. All times lie in
//! the past (from 2024-01-01 on), so that no tick but the injected ones is `future`.
//!
//! The background is quiet: each price follows a slow daily swing and a slow random walk and bounces between bid and
//! ask, a few hundredths of a percent apart; trading a minute varies by half around its mean. On this lie, hours apart
//! for one coin, the [`Injected`] pumps, crashes and volume surges, and between them payloads that must be rejected. Real
//! markets are wilder: what is measured here is whether alerts find what is there, not how rare they are elsewhere.

use std::sync::Arc;

use market::Reason;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::coin::{Coin, Tick, rfc3339};
use crate::random::stream;
use crate::step::Step;
use crate::truth::{Injected, InjectedKind};

/// 2024-01-01T00:00:00Z.
const START_MS: i64 = 1_704_067_200_000;
const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: usize = 1_440;
/// A bad payload keeps this far from an event of its coin, so that the two truths stay apart.
const APART_MINUTES: i64 = 30;

struct Asset {
    id: &'static str,
    symbol: &'static str,
    name: &'static str,
    price: f64,
    supply: f64,
    volume_24h: f64,
    /// Half the distance of bid and ask, as a share of the price.
    spread: f64,
}

#[rustfmt::skip]
const ASSETS: [Asset; 10] = [
    Asset { id: "bitcoin", symbol: "btc", name: "Bitcoin", price: 42_280.0, supply: 19.6e6, volume_24h: 18.0e9, spread: 2.0e-4 },
    Asset { id: "ethereum", symbol: "eth", name: "Ethereum", price: 2_281.0, supply: 120.2e6, volume_24h: 8.0e9, spread: 2.5e-4 },
    Asset { id: "binancecoin", symbol: "bnb", name: "BNB", price: 312.0, supply: 153.9e6, volume_24h: 1.2e9, spread: 3.0e-4 },
    Asset { id: "solana", symbol: "sol", name: "Solana", price: 101.5, supply: 428.4e6, volume_24h: 2.1e9, spread: 4.0e-4 },
    Asset { id: "ripple", symbol: "xrp", name: "XRP", price: 0.615, supply: 54.1e9, volume_24h: 0.9e9, spread: 3.0e-4 },
    Asset { id: "cardano", symbol: "ada", name: "Cardano", price: 0.594, supply: 35.4e9, volume_24h: 0.4e9, spread: 4.0e-4 },
    Asset { id: "dogecoin", symbol: "doge", name: "Dogecoin", price: 0.0895, supply: 142.3e9, volume_24h: 0.5e9, spread: 4.0e-4 },
    Asset { id: "polkadot", symbol: "dot", name: "Polkadot", price: 8.19, supply: 1.27e9, volume_24h: 0.3e9, spread: 4.5e-4 },
    Asset { id: "chainlink", symbol: "link", name: "Chainlink", price: 14.95, supply: 568.1e6, volume_24h: 0.4e9, spread: 4.5e-4 },
    Asset { id: "pepe", symbol: "pepe", name: "Pepe", price: 1.3e-6, supply: 420.7e12, volume_24h: 0.1e9, spread: 6.0e-4 },
];

/// Ten invented coins over a number of minutes, the same for the same seed.
#[derive(Debug, Clone)]
pub struct SyntheticMarket {
    seed: u64,
    minutes: u32,
    truth: Arc<[Injected]>,
    /// The bad payloads by minute.
    bad: Arc<[Bad]>,
}

/// A bad payload: what it is, where it goes.
#[derive(Debug, Clone, Copy)]
struct Bad {
    minute: u32,
    asset: usize,
    reason: Reason,
    /// Which of the ways to be bad for this reason.
    variant: u32,
}

impl SyntheticMarket {
    /// The seed of the demo.
    pub const SEED: u64 = 7;
    /// The length of the demo: three days.
    pub const MINUTES: u32 = 3 * 1_440;

    /// Plans a market of so many minutes (a step each).
    pub fn new(seed: u64, minutes: u32) -> Self {
        let mut rng = stream(seed, u64::MAX);
        let mut truth = plan_events(minutes, &mut rng);
        let bad = plan_bad(minutes, &truth, &mut rng);
        truth.extend(bad.iter().map(|bad| {
            let time_ms = time_ms(bad.asset, i64::from(bad.minute));
            Injected {
                coin: ASSETS[bad.asset].id,
                kind: InjectedKind::Bad(bad.reason),
                from_ms: time_ms,
                to_ms: time_ms,
            }
        }));
        truth.sort_by_key(|injected| (injected.from_ms, injected.coin));
        Self {
            seed,
            minutes,
            truth: truth.into(),
            bad: bad.into(),
        }
    }

    /// Everything injected, by time. A bad payload's time is that of the poll it came in.
    pub fn truth(&self) -> &[Injected] {
        &self.truth
    }

    /// How many steps the market has: one a minute.
    pub fn steps_total(&self) -> u64 {
        u64::from(self.minutes)
    }

    /// How many records, bad payloads included.
    pub fn records_total(&self) -> u64 {
        let added = self.bad.iter().filter(|bad| !replaces_tick(bad.reason));
        self.steps_total() * ASSETS.len() as u64 + added.count() as u64
    }

    pub(crate) fn steps(&self) -> SyntheticSteps {
        let series = (0..ASSETS.len()).map(|asset| Series::new(self.seed, asset, &self.truth));
        SyntheticSteps {
            series: series.collect(),
            bad: self.bad.clone(),
            bad_next: 0,
            minute: 0,
            minutes: self.minutes,
        }
    }
}

impl Default for SyntheticMarket {
    /// The market of the demo.
    fn default() -> Self {
        Self::new(Self::SEED, Self::MINUTES)
    }
}

/// A missing price comes instead of a good tick; a repeated tick comes in addition.
fn replaces_tick(reason: Reason) -> bool {
    matches!(reason, Reason::MissingField | Reason::BadValue)
}

/// Every coin updates at its own moment of the minute.
fn time_ms(asset: usize, minute: i64) -> i64 {
    START_MS + minute * MINUTE_MS + 137 * asset as i64
}

fn plan_events(minutes: u32, rng: &mut ChaCha8Rng) -> Vec<Injected> {
    let mut events = Vec::new();
    for (asset, Asset { id, .. }) in ASSETS.iter().enumerate() {
        // The first event of all comes early, so that a demo has something to show at once.
        let mut minute: i64 = match asset {
            0 => 30,
            _ => rng.random_range(60..300),
        };
        let mut rises = true;
        loop {
            let surge = asset != 0 && rng.random_bool(0.35);
            let (kind, length) = match (surge, rises) {
                (true, _) => (InjectedKind::VolumeSurge, rng.random_range(20..=60)),
                (false, true) => (InjectedKind::Pump, rng.random_range(2..=5)),
                (false, false) => (InjectedKind::Crash, rng.random_range(2..=5)),
            };
            if minute + length > i64::from(minutes) {
                break;
            }
            rises ^= !surge;
            events.push(Injected {
                coin: id,
                kind,
                from_ms: time_ms(asset, minute),
                to_ms: time_ms(asset, minute + length - 1),
            });
            minute += length + rng.random_range(180..480);
        }
    }
    events
}

fn plan_bad(minutes: u32, events: &[Injected], rng: &mut ChaCha8Rng) -> Vec<Bad> {
    let mut plan: Vec<Bad> = Vec::new();
    for reason in Reason::ALL {
        // A late tick needs a watermark that has moved on by more than the lateness.
        let earliest = if reason == Reason::Late { 150 } else { 10 };
        let mut variant = 0;
        let mut minute = earliest + rng.random_range(0..120);
        while minute < minutes {
            let asset = rng.random_range(0..ASSETS.len());
            let time = time_ms(asset, i64::from(minute));
            let apart_ms = APART_MINUTES * MINUTE_MS;
            let free = !events.iter().any(|event| {
                event.coin == ASSETS[asset].id
                    && (event.from_ms - apart_ms..=event.to_ms + apart_ms).contains(&time)
            });
            // One payload in a coin's minute, and none after a minute without a tick to repeat.
            let alone = !plan
                .iter()
                .any(|bad| bad.asset == asset && bad.minute.abs_diff(minute) <= 1);
            if free && alone {
                plan.push(Bad {
                    minute,
                    asset,
                    reason,
                    variant,
                });
                variant += 1;
                minute += rng.random_range(60..360);
            } else {
                minute += 1;
            }
        }
    }
    plan.sort_by_key(|bad| (bad.minute, bad.asset));
    plan
}

/// One coin's path through time.
struct Series {
    asset: usize,
    coin: Coin,
    rng: ChaCha8Rng,
    events: Vec<(InjectedKind, i64, i64)>,
    /// The logarithm of the price, without swing and bounce.
    level: f64,
    /// What the running pump or crash adds each minute.
    slope: f64,
    /// What was traded in each of the last 24 hours' minutes; the oldest is at `minute % 1440`.
    traded: Vec<f64>,
    last: Vec<u8>,
}

impl Series {
    fn new(seed: u64, asset: usize, truth: &[Injected]) -> Self {
        let Asset {
            id,
            symbol,
            name,
            price,
            volume_24h,
            ..
        } = ASSETS[asset];
        let mut rng = stream(seed, asset as u64);
        let minute_of = |time: i64| (time - time_ms(asset, 0)) / MINUTE_MS;
        let events = truth
            .iter()
            .filter(|event| event.coin == id && !matches!(event.kind, InjectedKind::Bad(_)))
            .map(|event| (event.kind, minute_of(event.from_ms), minute_of(event.to_ms)));
        let mean = volume_24h / DAY_MINUTES as f64;
        Self {
            asset,
            coin: Coin::new(id, symbol, name),
            events: events.collect(),
            level: price.ln(),
            slope: 0.0,
            traded: (0..DAY_MINUTES)
                .map(|_| mean * rng.random_range(0.5..1.5))
                .collect(),
            rng,
            last: Vec::new(),
        }
    }

    fn tick(&mut self, minute: i64) -> Tick {
        let asset = &ASSETS[self.asset];
        let event = self
            .events
            .iter()
            .find(|(_, from, to)| (*from..=*to).contains(&minute))
            .copied();
        // Drawn whether used or not: the background is the same with and without events.
        let size = self.rng.random_range(0.015..0.08_f64);
        let busy = self.rng.random_range(8.0..20.0);
        let walk = self.rng.random_range(-1.0..1.0) * asset.spread * 0.2;
        let side = if self.rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let bounce = (side + self.rng.random_range(-0.7..0.7)) * asset.spread;
        let mut traded = asset.volume_24h / DAY_MINUTES as f64 * self.rng.random_range(0.5..1.5);

        if let Some((kind, from, to)) = event {
            if minute == from {
                let minutes = (to - from + 1) as f64;
                self.slope = match kind {
                    InjectedKind::Pump => size / minutes,
                    InjectedKind::Crash => -size / minutes,
                    InjectedKind::VolumeSurge | InjectedKind::Bad(_) => 0.0,
                };
            }
            self.level += self.slope;
            traded *= match kind {
                InjectedKind::VolumeSurge => busy,
                _ => 2.0,
            };
        }
        self.level += walk;
        let slot = minute as usize % DAY_MINUTES;
        self.traded[slot] = traded;
        let volume: f64 = self.traded.iter().sum();
        let of_day =
            (minute as f64 / DAY_MINUTES as f64 + self.asset as f64 / 10.0) * std::f64::consts::TAU;
        let price = significant((self.level + 0.004 * of_day.sin() + bounce).exp());
        Tick {
            time_ms: time_ms(self.asset, minute),
            price,
            market_cap: Some((price * asset.supply).round()),
            volume_24h: Some(volume.round()),
        }
    }
}

/// A price to eight significant digits, as an exchange would quote it.
fn significant(price: f64) -> f64 {
    let scale = 10_f64.powi(7 - price.log10().floor() as i32);
    (price * scale).round() / scale
}

/// The steps of a [`SyntheticMarket`].
pub struct SyntheticSteps {
    series: Vec<Series>,
    bad: Arc<[Bad]>,
    bad_next: usize,
    minute: u32,
    minutes: u32,
}

impl SyntheticSteps {
    pub(crate) fn next_into(&mut self, step: &mut Step) -> bool {
        if self.minute == self.minutes {
            return false;
        }
        let minute = i64::from(self.minute);
        let due = self.bad[self.bad_next..]
            .iter()
            .take_while(|bad| bad.minute == self.minute)
            .count();
        let bad = &self.bad[self.bad_next..self.bad_next + due];
        self.bad_next += due;
        self.minute += 1;

        step.time_ms = time_ms(0, minute);
        for (asset, series) in self.series.iter_mut().enumerate() {
            let tick = series.tick(minute);
            let replaced = bad
                .iter()
                .find(|bad| bad.asset == asset && replaces_tick(bad.reason));
            if let Some(bad) = replaced {
                push_unusable(step, asset, bad, tick);
                continue;
            }
            // A duplicate repeats the tick of the minute before, so `last` may move on only after it was sent. It has one
            // field more: the source does not send an object again that is the same to the byte.
            let repeated = bad
                .iter()
                .any(|bad| bad.asset == asset && bad.reason == Reason::Duplicate);
            if repeated {
                step.push(Some(series.coin.id.clone()), |json| {
                    json.extend_from_slice(br#"{"fully_diluted_valuation":null,"#);
                    json.extend_from_slice(series.last.get(1..).unwrap_or(b"}"));
                });
            }
            series.last.clear();
            series.coin.write(tick, &mut series.last);
            step.push(Some(series.coin.id.clone()), |json| {
                json.extend_from_slice(&series.last);
            });
        }
        for bad in bad {
            push_added(step, &self.series[bad.asset], bad, minute);
        }
        true
    }
}

/// A payload that comes instead of the tick.
fn push_unusable(step: &mut Step, asset: usize, bad: &Bad, tick: Tick) {
    let Asset { id, symbol, .. } = ASSETS[asset];
    let key = Some(Arc::from(id));
    let mut time = Vec::new();
    rfc3339(&mut time, tick.time_ms);
    let time = String::from_utf8_lossy(&time).into_owned();
    let price = tick.price;
    let id = format!(r#""id":"{id}","#);
    let symbol = format!(r#""symbol":"{symbol}","#);
    let rest = r#""market_cap":null,"total_volume":1000.0"#;
    let (key, text) = match (bad.reason, bad.variant % 4) {
        (Reason::MissingField, 0) => (
            key,
            format!(r#"{{{id}{symbol}"current_price":null,{rest},"last_updated":"{time}"}}"#),
        ),
        (Reason::MissingField, 1) => (
            key,
            format!(r#"{{{id}{symbol}"current_price":{price:?},{rest}}}"#),
        ),
        (Reason::MissingField, 2) => (
            None,
            format!(r#"{{{symbol}"current_price":{price:?},{rest},"last_updated":"{time}"}}"#),
        ),
        (Reason::MissingField, _) => (
            key,
            format!(r#"{{{id}{symbol}{rest},"last_updated":"{time}"}}"#),
        ),
        (_, 0) => (
            key,
            format!(r#"{{{id}{symbol}"current_price":-{price:?},{rest},"last_updated":"{time}"}}"#),
        ),
        (_, 1) => (
            key,
            format!(
                r#"{{{id}{symbol}"current_price":{price:?},"market_cap":null,"total_volume":-1,"last_updated":"{time}"}}"#
            ),
        ),
        (_, 2) => (
            key,
            format!(
                r#"{{{id}{symbol}"current_price":{price:?},{rest},"last_updated":"a minute ago"}}"#
            ),
        ),
        _ => (
            key,
            format!(r#"{{{id}{symbol}"current_price":0,{rest},"last_updated":"{time}"}}"#),
        ),
    };
    step.push(key, |json| json.extend_from_slice(text.as_bytes()));
}

/// A payload that comes in addition to the ticks.
fn push_added(step: &mut Step, series: &Series, bad: &Bad, minute: i64) {
    let Asset {
        id, symbol, price, ..
    } = ASSETS[bad.asset];
    let key = Some(series.coin.id.clone());
    let mut object = |time_ms: i64, price: f64| {
        step.push(key.clone(), |json| {
            let head = format!(
                r#"{{"id":"{id}","symbol":"{symbol}","current_price":{price:?},"total_volume":1000.0,"last_updated":""#
            );
            json.extend_from_slice(head.as_bytes());
            rfc3339(json, time_ms);
            json.extend_from_slice(b"\"}");
        });
    };
    match bad.reason {
        Reason::Malformed => {
            let text = match bad.variant % 4 {
                0 => r#""the coin is not available""#.to_owned(),
                1 => "429".to_owned(),
                2 => format!(r#"["{id}",{price:?}]"#),
                // Over 64 KiB, and without an id to be found before the end of it.
                _ => format!(r#"{{"description":"{}"}}"#, "very long ".repeat(7_000)),
            };
            step.push(None, |json| json.extend_from_slice(text.as_bytes()));
        }
        // The year 2100, whatever the clock says when it arrives.
        Reason::Future => object(4_102_444_800_000, price),
        // Half a minute beside the coin's own ticks: late, but no duplicate.
        Reason::Late => object(time_ms(bad.asset, minute - 120) + 30_000, price),
        Reason::Duplicate | Reason::MissingField | Reason::BadValue => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(market: &SyntheticMarket) -> (u64, u64, Vec<u8>) {
        let (mut steps, mut records, mut bytes) = (0, 0, Vec::new());
        let (mut reader, mut step) = (market.steps(), Step::default());
        loop {
            step.clear();
            if !reader.next_into(&mut step) {
                return (steps, records, bytes);
            }
            steps += 1;
            records += step.len() as u64;
            step.elements()
                .for_each(|element| bytes.extend_from_slice(element.json));
        }
    }

    #[test]
    fn the_same_seed_is_the_same_market_and_another_is_not() {
        let market = SyntheticMarket::new(3, 600);
        let first = read(&market);
        assert_eq!(first.0, market.steps_total());
        assert_eq!(first.1, market.records_total());
        assert!(first == read(&SyntheticMarket::new(3, 600)));
        assert!(first != read(&SyntheticMarket::new(4, 600)));
    }

    #[test]
    fn no_object_is_the_same_as_the_one_before_of_its_coin() {
        for (seed, minutes) in [(20, 900), (SyntheticMarket::SEED, SyntheticMarket::MINUTES)] {
            let market = SyntheticMarket::new(seed, minutes);
            let (mut reader, mut step) = (market.steps(), Step::default());
            let mut last = std::collections::HashMap::new();
            while reader.next_into(&mut step) {
                for element in step.elements() {
                    let Some(key) = element.key else { continue };
                    let before = last.insert(key.to_owned(), element.json.to_vec());
                    let text = String::from_utf8_lossy(element.json);
                    assert!(before.as_deref() != Some(element.json), "{seed}: {text}");
                }
                step.clear();
            }
        }
    }

    #[test]
    fn every_reject_reason_occurs_in_the_demo() {
        let market = SyntheticMarket::new(SyntheticMarket::SEED, SyntheticMarket::MINUTES);
        for reason in Reason::ALL {
            let count = market
                .truth()
                .iter()
                .filter(|injected| injected.kind == InjectedKind::Bad(reason))
                .count();
            assert!(count >= 8, "{reason:?}: {count}");
        }
    }
}
