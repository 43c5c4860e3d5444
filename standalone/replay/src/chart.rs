//! Charts of a market's past, `/coins/{id}/market_chart`, as CoinGecko draws them.
//!
//! Always true: a step of a chart is in every later chart of the same granularity that reaches back to it, with the same time and
//! values; the current price at the end is in no other. Steps jitter by seconds, single ones are missing, and values are null,
//! whatever the market.
//!
//! A step's mark is where its five minutes begin: a multiple of five minutes since the epoch.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::RecordingError;
use crate::field::FieldPast;
use crate::market::{Market, Steps};
use crate::quote::Quote;
use crate::step::Step;

const MINUTE_MS: i64 = 60_000;
const STEP_MS: i64 = 5 * MINUTE_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A step's time is up to this much after its mark; in a recording, after the time of its row.
const JITTER_MS: u64 = 40_000;
/// A step of the field market is known this much later than its mark.
const KNOWN_AFTER_MS: i64 = 90_000;
/// Steps that are older than this are forgotten; charts reach back 365 days.
const KEPT_MS: i64 = 366 * DAY_MS;
/// Old steps are forgotten when the number of steps is a multiple of this, not with each step: it moves all the others.
const FORGET_EVERY: usize = 10_000;
/// One step in this many is missing.
const MISSING: u64 = 97;
/// One in this many has no market value.
const NO_CAP: u64 = 89;
/// One in this many has null for its market value.
const NULL_CAP: u64 = 61;
/// One in this many has null for its volume.
const NULL_VOLUME: u64 = 71;

/// The charts of all coins, read as far as they were asked for.
pub(crate) struct Charts {
    source: Source,
    coins: HashMap<Arc<str>, Coin>,
}

enum Source {
    Field {
        past: Box<FieldPast>,
        /// The mark of the next step.
        mark_ms: i64,
    },
    Steps {
        steps: Box<Steps>,
        /// The next one that is not read yet.
        next: Option<Step>,
    },
}

#[derive(Default)]
struct Coin {
    /// At most one for each mark, ascending.
    steps: Vec<ChartStep>,
    /// The mark of the last one, missing or not.
    mark_ms: Option<i64>,
    now: Option<Quote>,
}

#[derive(Clone, Copy)]
struct ChartStep {
    mark_ms: i64,
    /// The time in charts.
    time_ms: i64,
    quote: Quote,
}

/// A chart as it is sent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Chart {
    prices: Vec<(i64, Option<f64>)>,
    market_caps: Vec<(i64, Option<f64>)>,
    total_volumes: Vec<(i64, Option<f64>)>,
}

impl Charts {
    pub(crate) fn new(market: &Market) -> Result<Self, RecordingError> {
        let source = match market {
            Market::Field(field) => {
                let past = Box::new(FieldPast::new(field));
                let mark_ms = mark_of(past.start_ms, STEP_MS);
                Source::Field { past, mark_ms }
            }
            Market::Recording(_) | Market::Synthetic(_) => Source::Steps {
                steps: Box::new(market.steps()?),
                next: Some(Step::default()),
            },
        };
        Ok(Self {
            source,
            coins: HashMap::new(),
        })
    }

    /// The chart of a coin over so many days until now; none for a coin that nobody knows.
    pub(crate) fn chart(
        &mut self,
        id: &str,
        days: f64,
        now_ms: i64,
    ) -> Result<Option<Chart>, RecordingError> {
        self.read_until(now_ms)?;
        let Some(coin) = self.coins.get(id) else {
            return Ok(None);
        };
        let granularity_ms = match days {
            ..=1.0 => STEP_MS,
            ..=90.0 => HOUR_MS,
            _ => DAY_MS,
        };
        let from_ms = now_ms - (days * DAY_MS as f64) as i64;
        let mut chart = Chart::default();
        let mut mark_ms = i64::MIN;
        for step in &coin.steps {
            let mark = mark_of(step.mark_ms, granularity_ms);
            // The first step of an hour or a day stands for it.
            if mark > mark_ms && (from_ms..=now_ms).contains(&step.time_ms) {
                chart.push(id, step.time_ms, step.quote);
            }
            mark_ms = mark.max(mark_ms);
        }
        if let Some(quote) = coin.now {
            chart.prices.push((now_ms, Some(quote.price)));
            chart.market_caps.push((now_ms, quote.market_cap));
            chart.total_volumes.push((now_ms, quote.volume));
        }
        Ok(Some(chart))
    }

    fn read_until(&mut self, now_ms: i64) -> Result<(), RecordingError> {
        match &mut self.source {
            Source::Field { past, mark_ms } => {
                while *mark_ms + KNOWN_AFTER_MS <= now_ms {
                    past.go_on(*mark_ms + KNOWN_AFTER_MS);
                    for (index, id) in past.coins().enumerate() {
                        let time_ms = *mark_ms + jitter(id, *mark_ms);
                        let quote = past.quote(index, time_ms);
                        let coin = self.coins.entry(id.clone()).or_default();
                        coin.take(id, *mark_ms, time_ms, quote);
                    }
                    *mark_ms += STEP_MS;
                }
                past.go_on(now_ms);
                for (index, id) in past.coins().enumerate() {
                    let coin = self.coins.entry(id.clone()).or_default();
                    coin.now = past.quote(index, now_ms);
                }
            }
            Source::Steps { steps, next } => {
                while let Some(step) = next {
                    if step.time_ms > now_ms {
                        break;
                    }
                    take_step(&mut self.coins, step);
                    if !steps.next_into(step)? {
                        *next = None;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The elements of a step that are coins.
fn take_step(coins: &mut HashMap<Arc<str>, Coin>, step: &Step) {
    #[derive(Deserialize)]
    struct Object {
        current_price: f64,
        market_cap: Option<f64>,
        total_volume: Option<f64>,
    }
    for element in step.elements() {
        let object = serde_json::from_slice::<Object>(element.json);
        let (Some(id), Ok(object)) = (element.key, object) else {
            continue;
        };
        let quote = Quote {
            price: object.current_price,
            market_cap: object.market_cap,
            volume: object.total_volume,
        };
        let coin = coins.entry(id.clone()).or_default();
        coin.now = Some(quote);
        let mark_ms = mark_of(step.time_ms, STEP_MS);
        if coin.mark_ms.is_none_or(|before| before < mark_ms) {
            let time_ms = step.time_ms + jitter(id, mark_ms);
            coin.take(id, mark_ms, time_ms, Some(quote));
        }
    }
}

impl Coin {
    fn take(&mut self, id: &str, mark_ms: i64, time_ms: i64, quote: Option<Quote>) {
        self.mark_ms = Some(mark_ms);
        let is_missing = draw(id, mark_ms, Purpose::Missing).is_multiple_of(MISSING);
        if let Some(quote) = quote.filter(|_| !is_missing) {
            self.steps.push(ChartStep {
                mark_ms,
                time_ms,
                quote,
            });
            let is_too_old = |step: &ChartStep| step.mark_ms < mark_ms - KEPT_MS;
            if self.steps.len().is_multiple_of(FORGET_EVERY) {
                self.steps.drain(..self.steps.partition_point(is_too_old));
            }
        }
    }
}

impl Chart {
    fn push(&mut self, id: &str, time_ms: i64, quote: Quote) {
        let one_in =
            |count: u64, purpose: Purpose| draw(id, time_ms, purpose).is_multiple_of(count);
        self.prices.push((time_ms, Some(quote.price)));
        if !one_in(NO_CAP, Purpose::NoCap) {
            let cap = quote
                .market_cap
                .filter(|_| !one_in(NULL_CAP, Purpose::NullCap));
            self.market_caps.push((time_ms, cap));
        }
        let volume = quote
            .volume
            .filter(|_| !one_in(NULL_VOLUME, Purpose::NullVolume));
        self.total_volumes.push((time_ms, volume));
    }
}

fn mark_of(time_ms: i64, granularity_ms: i64) -> i64 {
    time_ms.div_euclid(granularity_ms) * granularity_ms
}

fn jitter(id: &str, mark_ms: i64) -> i64 {
    (draw(id, mark_ms, Purpose::Jitter) % JITTER_MS).cast_signed()
}

/// What a number is drawn for. The numbers of different purposes have nothing to do with each other.
#[derive(Clone, Copy)]
enum Purpose {
    Jitter,
    Missing,
    NoCap,
    NullCap,
    NullVolume,
}

/// A number at random that is the same for the same coin, time and purpose (FNV-1a, then the finish of SplitMix64).
fn draw(id: &str, time_ms: i64, purpose: Purpose) -> u64 {
    let bytes = id.bytes().chain(time_ms.to_le_bytes());
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325 ^ purpose as u64, fold);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
