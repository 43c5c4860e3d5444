//! Which state of the market a poll sees, and when it sees none.
//!
//! A reply is made from a snapshot and then cached, so it is older than the poll. Before 2026-07-23 a coin's age was that
//! of the cache plus that of its own refresh: 60 s in the median, 21 to 102 s for nine in ten, single coins minutes older.
//! Since then a reply belongs to one batch, which appears minutes late: 182 s, 130 to 240 s.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1};

use super::faults::{Dating, Faults};
use crate::random::stream;
use crate::refusal::Refusal;

const MINUTE_MS: i64 = 60_000;
/// 15 times in ten months.
const FROZEN_EVERY_MS: f64 = 20.0 * 86_400_000.0;
const FROZEN_MINUTES: std::ops::Range<f64> = 6.0..600.0;
/// Replies of the old kind come a few times a day, for some minutes.
const RELAPSE_EVERY_MS: f64 = 10.0 * 3_600_000.0;
const RELAPSE_MINUTES: std::ops::Range<f64> = 1.0..20.0;
const REFUSED_EVERY_MS: f64 = 8.0 * 3_600_000.0;
const REFUSED_MINUTES: std::ops::Range<f64> = 1.0..3.0;
/// How long a reply is cached; one in fifty much longer.
const CACHED_MS: std::ops::Range<i64> = 30_000..60_000;
const CACHED_LONG_MS: std::ops::Range<i64> = 60_000..261_000;
/// A batch every half minute or so, which appears minutes late.
const BATCH_MS: i64 = 30_000;
const BATCH_LATE_MS: std::ops::Range<i64> = 90_000..190_000;

/// What a poll gets.
pub(super) enum Delivered {
    /// An error.
    Refused(&'static Refusal),
    /// The reply before, byte for byte.
    Same,
    /// A reply made of what was known at `snapshot_ms`.
    New {
        snapshot_ms: i64,
        /// The one time that all coins carry.
        shared_ms: Option<i64>,
    },
}

pub(super) struct Delivery {
    rng: ChaCha8Rng,
    faults: Faults,
    dating: Dating,
    frozen: Vec<(i64, i64)>,
    relapses: Vec<(i64, i64)>,
    refused: Vec<(i64, i64)>,
    /// When the cached reply was made, and until when it is served.
    cached: Option<(i64, i64)>,
    /// The newest batch that was shown.
    batch_ms: i64,
}

/// When the field market is frozen, as milliseconds since the epoch.
pub(super) fn frozen_spells(seed: u64, faults: Faults, span_ms: (i64, i64)) -> Vec<(i64, i64)> {
    match faults.frozen {
        true => plan(
            &mut delivery_stream(seed),
            FROZEN_EVERY_MS,
            FROZEN_MINUTES,
            span_ms,
        ),
        false => Vec::new(),
    }
}

fn delivery_stream(seed: u64) -> ChaCha8Rng {
    stream(seed, u64::MAX - 3)
}

impl Delivery {
    pub(super) fn new(seed: u64, faults: Faults, dating: Dating, span_ms: (i64, i64)) -> Self {
        let mut rng = delivery_stream(seed);
        // Planned whether used or not: the spells of one fault are the same whatever the others are. Frozen replies come first, for
        // `frozen_spells`.
        let frozen = plan(&mut rng, FROZEN_EVERY_MS, FROZEN_MINUTES, span_ms);
        let relapses = plan(&mut rng, RELAPSE_EVERY_MS, RELAPSE_MINUTES, span_ms);
        let refused = plan(&mut rng, REFUSED_EVERY_MS, REFUSED_MINUTES, span_ms);
        let kept = |on: bool, spells: Vec<(i64, i64)>| if on { spells } else { Vec::new() };
        Self {
            rng,
            faults,
            dating,
            frozen: kept(faults.frozen, frozen),
            relapses: kept(faults.relapses, relapses),
            refused: kept(faults.refusals, refused),
            cached: None,
            batch_ms: i64::MIN,
        }
    }

    /// What a poll at this time gets; times do not fall.
    pub(super) fn poll(&mut self, now_ms: i64) -> Delivered {
        if let Some(spell) = within(&self.refused, now_ms) {
            return Delivered::Refused(&Refusal::PASSING[spell % Refusal::PASSING.len()]);
        }
        let frozen = within(&self.frozen, now_ms).is_some();
        match self.cached {
            Some((_, until)) if frozen || now_ms < until => return Delivered::Same,
            _ => {}
        }
        let snapshot_ms = if self.faults.caches {
            let long = self.rng.random_ratio(1, 50);
            let range = if long { CACHED_LONG_MS } else { CACHED_MS };
            let lasts = self.rng.random_range(range);
            // Somebody else's poll filled the cache, some time since it ran out.
            let idle = match self.cached {
                Some((_, until)) => (now_ms - until).clamp(0, lasts - 1),
                None => 0,
            };
            let made = now_ms - self.rng.random_range(0..=idle);
            self.cached = Some((made, made + lasts));
            made
        } else {
            self.cached = Some((now_ms, now_ms));
            now_ms
        };
        let dated_old = within(&self.relapses, now_ms).is_some();
        let late = self.rng.random_range(BATCH_LATE_MS);
        let batch_ms = (snapshot_ms - late).div_euclid(BATCH_MS) * BATCH_MS;
        self.batch_ms = self.batch_ms.max(batch_ms);
        let shared_ms = (self.dating == Dating::SharedTime && !dated_old).then_some(self.batch_ms);
        Delivered::New {
            snapshot_ms,
            shared_ms,
        }
    }

    /// How old the cached reply is now.
    pub(super) fn age_ms(&self, now_ms: i64) -> i64 {
        self.cached.map_or(0, |(made, _)| now_ms - made)
    }
}

/// How old a coin's own state is when a reply is made of it: 10 to 40 s, single ones minutes.
pub(super) fn lag_ms(rng: &mut ChaCha8Rng) -> i64 {
    let one: f64 = Exp1.sample(rng);
    if rng.random_ratio(1, 60) {
        rng.random_range(MINUTE_MS..5 * MINUTE_MS)
    } else {
        13_000 + (one.min(5.0) * 9_000.0) as i64
    }
}

/// Spells that begin so often on average and last between so many minutes, most of them short.
fn plan(
    rng: &mut ChaCha8Rng,
    every_ms: f64,
    minutes: std::ops::Range<f64>,
    (start_ms, end_ms): (i64, i64),
) -> Vec<(i64, i64)> {
    let mut spells = Vec::new();
    let mut from = start_ms as f64;
    loop {
        let pause: f64 = Exp1.sample(rng);
        from += pause * every_ms;
        if from >= end_ms as f64 {
            return spells;
        }
        let log = rng.random_range(minutes.start.ln()..minutes.end.ln());
        let to = from + log.exp() * 60_000.0;
        spells.push((from as i64, to as i64));
        from = to;
    }
}

fn within(spells: &[(i64, i64)], now_ms: i64) -> Option<usize> {
    spells
        .iter()
        .position(|&(from, to)| (from..to).contains(&now_ms))
}
