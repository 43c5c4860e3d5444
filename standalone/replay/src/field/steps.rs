//! The replies of the field market, one a poll.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::book::Book;
use super::delivery::{Delivered, Delivery, lag_ms};
use super::events::FieldEvent;
use super::faults::Faults;
use super::listing::{REFRESH_MS, Shown};
use super::object;
use super::settings::FieldSettings;
use crate::random::stream;
use crate::step::Step;

/// Of a million shown coins, so many have no price.
const NULLS: u32 = 2;
/// Of ten thousand, so many show an older state than before, or the time of the state before with a newer price.
const BACKWARD: u32 = 8;
const SAME_TIME: u32 = 50;
/// One reply in so many is hours old: somewhere a cache had it still.
const OLD: u32 = 1_200;
/// And one in so many is such a reply, later on.
const HELD: u32 = 150;
/// One reply in so many lacks a fifth of the coins.
const THINNED: u32 = 8_000;

/// The polls of a [`FieldMarket`](super::FieldMarket), in order. Memory does not grow with the market's length.
pub struct FieldSteps {
    settings: FieldSettings,
    book: Book,
    /// The `last_updated` under which each coin was shown last.
    told: Vec<Option<i64>>,
    rng: ChaCha8Rng,
    delivery: Delivery,
    poll: u64,
    last: Step,
    held: Step,
    order: Vec<(usize, Shown, i64)>,
}

impl FieldSteps {
    pub(super) fn new(settings: FieldSettings, truth: &[FieldEvent]) -> Self {
        let (seed, faults) = (settings.seed, settings.faults);
        let book = Book::new(&settings, truth);
        Self {
            told: vec![None; book.listings.len()],
            book,
            rng: stream(seed, u64::MAX - 5),
            delivery: Delivery::new(seed, faults, settings.dating, settings.span_ms()),
            poll: 0,
            last: Step::default(),
            held: Step::default(),
            order: Vec::new(),
            settings,
        }
    }

    /// The next poll; false after the last. A poll that is refused has a `refusal` and no elements.
    pub fn next_into(&mut self, step: &mut Step) -> bool {
        let since_ms = self.poll as i64 * i64::from(self.settings.poll_secs) * 1_000;
        if since_ms >= i64::from(self.settings.minutes) * 60_000 {
            return false;
        }
        let opening = self.settings.opens_with.filter(|_| self.poll == 0);
        self.poll += 1;
        let now_ms = self.settings.start_ms + since_ms;
        self.book.refresh_until(now_ms);
        step.clear();
        let delivered = self.delivery.poll(now_ms);
        match opening.map_or(delivered, Delivered::Refused) {
            Delivered::Refused(refusal) => step.refusal = Some(refusal),
            Delivered::Same => step.clone_from(&self.last),
            Delivered::New {
                snapshot_ms,
                shared_ms,
            } => {
                self.fill(step, snapshot_ms, shared_ms);
                let (old, held) = (
                    self.rng.random_ratio(1, OLD),
                    self.rng.random_ratio(1, HELD),
                );
                if self.settings.faults.backward && old && !self.held.is_empty() {
                    step.clone_from(&self.held);
                } else if held {
                    self.held.clone_from(step);
                }
                self.last.clone_from(step);
            }
        }
        step.time_ms = now_ms;
        step.age_secs = (self.delivery.age_ms(now_ms) / 1_000).unsigned_abs();
        true
    }

    fn fill(&mut self, step: &mut Step, snapshot_ms: i64, shared_ms: Option<i64>) {
        let Faults {
            backward,
            membership,
            null_prices,
            ..
        } = self.settings.faults;
        let thinned = self.rng.random_ratio(1, THINNED) && membership;
        self.order.clear();
        for (index, listing) in self.book.listings.iter().enumerate() {
            let rng = &mut self.rng;
            let (lag, back, odd) = (
                lag_ms(rng),
                rng.random_range(60_000..300_000),
                rng.random_range(0..10_000),
            );
            let (hidden, no_price) = (rng.random_ratio(1, 5), rng.random_ratio(NULLS, 1_000_000));
            if thinned && hidden {
                continue;
            }
            let mut until_ms = shared_ms.unwrap_or(snapshot_ms - lag);
            if backward && odd < BACKWARD {
                until_ms -= back;
            }
            let mut shown = listing.at(until_ms);
            // A batch's time is later than the refresh it holds, unless the coin is stale.
            let mut last_updated_ms = match shared_ms {
                Some(_) if until_ms - shown.time_ms < 2 * REFRESH_MS => until_ms / 1_000 * 1_000,
                Some(_) => shown.time_ms / 1_000 * 1_000,
                None => shown.time_ms,
            };
            let again = (BACKWARD..BACKWARD + SAME_TIME).contains(&odd);
            match self.told[index].replace(last_updated_ms) {
                Some(before) if backward && again && before <= last_updated_ms => {
                    last_updated_ms = before;
                }
                _ => {}
            }
            if null_prices && no_price {
                shown.price = None;
            }
            self.order.push((index, shown, last_updated_ms));
        }
        if membership {
            let cap =
                |&(_, shown, _): &(usize, Shown, i64)| std::cmp::Reverse(ordered(shown.market_cap));
            self.order.sort_by_key(cap);
        }
        for (rank, &(index, shown, last_updated_ms)) in self.order.iter().enumerate() {
            let asset = &self.book.listings[index].asset;
            step.push(Some(asset.id.clone()), |json| {
                object::write(json, asset, &shown, last_updated_ms, Some(rank + 1));
            });
        }
    }
}

/// A market cap, never negative, as a number that can be sorted by.
fn ordered(market_cap: f64) -> u64 {
    market_cap.to_bits()
}
