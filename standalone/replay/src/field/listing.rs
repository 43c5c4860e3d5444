//! One coin as CoinGecko holds it: refreshed twice a minute, with what the last half hour's refreshes said.

use std::collections::VecDeque;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1};

use super::catalogue::Asset;
use super::events::FieldEvent;
use super::faults::Faults;
use super::price::{Price, Tide};
use super::volume::Volume;
use crate::coin::{Day, DayWindow};

/// A coin is refreshed this often.
pub(super) const REFRESH_MS: i64 = 30_000;
/// So many refreshes are remembered: 32 minutes.
const HISTORY: usize = 64;
/// The day's high and low follow the price every five minutes only: one in 25 prices lies outside of them.
const DAY_EVERY: u64 = 10;
/// A sleepy coin's price and volume change at one refresh of so many.
const SLEEPY: u32 = 12;
/// The largest coins are never stale.
const STALE_RANK_MIN: usize = 20;
/// A coin goes stale so often, per millisecond: for 10 minutes to three days, 1.2 % of its time.
const STALE_PER_MS: f64 = 0.012 / (710.0 * 60_000.0);
const STALE_MINUTES: std::ops::Range<f64> = 10.0..4_320.0;
const ABANDONED_MS: i64 = 209 * 86_400_000;

/// What one refresh says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub time_ms: i64,
    pub price: Option<f64>,
    pub volume: f64,
    pub market_cap: f64,
    pub day: Day,
}

pub(super) struct Listing {
    pub asset: Asset,
    rng: ChaCha8Rng,
    events: Vec<FieldEvent>,
    price: Price,
    volume: Volume,
    /// Where in the half minute this coin's refresh lies.
    phase_ms: i64,
    before_ms: i64,
    window: DayWindow,
    day: Day,
    history: VecDeque<Shown>,
    stale: VecDeque<(i64, i64)>,
}

impl Listing {
    pub(super) fn new(
        asset: Asset,
        rank: usize,
        mut rng: ChaCha8Rng,
        events: Vec<FieldEvent>,
        faults: Faults,
        span_ms: (i64, i64),
    ) -> Self {
        let price = asset.price.unwrap_or(0.0);
        let mut stale = VecDeque::new();
        let mut from = span_ms.0 as f64;
        loop {
            let pause: f64 = Exp1.sample(&mut rng);
            from += pause / STALE_PER_MS;
            if from >= span_ms.1 as f64 {
                break;
            }
            let range = STALE_MINUTES.start.ln()..STALE_MINUTES.end.ln();
            let to = from + rng.random_range(range).exp() * 60_000.0;
            stale.push_back((from as i64, to as i64));
            from = to;
        }
        if !faults.stale || rank <= STALE_RANK_MIN {
            stale.clear();
        }
        let day = Day {
            high: price,
            low: price,
            price_before: None,
        };
        let mut listing = Self {
            price: Price::new(asset.nature, price),
            volume: Volume::new(asset.volume_24h, asset.jumps, &mut rng),
            phase_ms: rng.random_range(0..REFRESH_MS - 5_000),
            before_ms: span_ms.0 - REFRESH_MS,
            window: DayWindow::default(),
            day,
            history: VecDeque::with_capacity(HISTORY),
            stale,
            events,
            rng,
            asset,
        };
        if listing.asset.abandoned && faults.stale {
            listing.show(span_ms.0 - ABANDONED_MS, price, listing.asset.volume_24h);
            listing.stale = VecDeque::from([(i64::MIN, i64::MAX)]);
        }
        listing
    }

    /// One more refresh, the one with this number, in the half minute that begins at `begin_ms`.
    pub(super) fn refresh(&mut self, number: u64, begin_ms: i64, tide: Tide, faults: Faults) {
        let time_ms = begin_ms + self.phase_ms + self.rng.random_range(0..5_000);
        let rng = &mut self.rng;
        let price = self
            .price
            .next(tide, &self.events, self.before_ms, time_ms, rng);
        let restless = tide.restless + self.price.restless();
        let jumps = faults.volume_jumps;
        let volume = self
            .volume
            .next(number, time_ms, restless, &self.events, jumps, rng);
        self.before_ms = time_ms;
        let asleep = self.asset.sleepy && !self.rng.random_ratio(1, SLEEPY);
        while self.stale.front().is_some_and(|&(_, to)| to <= time_ms) {
            self.stale.pop_front();
        }
        if self.stale.front().is_some_and(|&(from, _)| from <= time_ms) {
            return;
        }
        if number.is_multiple_of(DAY_EVERY) {
            self.day = self.window.push(time_ms, price);
        }
        let held = self.history.back().copied();
        match held.filter(|_| asleep) {
            Some(held) => self.push(Shown { time_ms, ..held }),
            None => self.show(time_ms, price, volume),
        }
    }

    fn show(&mut self, time_ms: i64, price: f64, volume: f64) {
        self.push(Shown {
            time_ms,
            price: self.asset.price.map(|_| price),
            volume,
            market_cap: price * self.asset.supply,
            day: self.day,
        });
    }

    fn push(&mut self, shown: Shown) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(shown);
    }

    /// What was known of the coin at a time: the newest refresh until then, or the oldest that is remembered.
    pub(super) fn at(&self, time_ms: i64) -> Shown {
        let newest = self
            .history
            .iter()
            .rev()
            .find(|shown| shown.time_ms <= time_ms);
        *newest
            .or(self.history.front())
            .expect("a listing is refreshed before it is asked")
    }
}
