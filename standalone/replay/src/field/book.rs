//! Every coin as CoinGecko holds it, refresh after refresh.

use super::catalogue::catalogue;
use super::events::FieldEvent;
use super::faults::Faults;
use super::listing::{Listing, REFRESH_MS};
use super::price::Sea;
use super::settings::FieldSettings;
use crate::random::stream;

/// Refreshes before the market's start, so that every coin has a past.
const WARM_UP: i64 = 64;

/// All coins, as of one time.
pub(super) struct Book {
    pub listings: Vec<Listing>,
    sea: Sea,
    start_ms: i64,
    faults: Faults,
    /// The number of the next refresh; those below [`WARM_UP`] lie before the market's start.
    refresh: i64,
}

impl Book {
    /// As of the market's start.
    pub(super) fn new(settings: &FieldSettings, truth: &[FieldEvent]) -> Self {
        let (seed, faults) = (settings.seed, settings.faults);
        let (start_ms, end_ms) = settings.span_ms();
        let span_ms = (start_ms - WARM_UP * REFRESH_MS, end_ms);
        let assets = catalogue(seed, settings.coins, faults.odd_coins).into_iter();
        let listings = assets.enumerate().map(|(index, asset)| {
            let events = truth.iter().filter(|event| event.coin == asset.id);
            let events = events.cloned().collect();
            let rng = stream(seed, index as u64);
            Listing::new(asset, index + 1, rng, events, faults, span_ms)
        });
        let mut book = Self {
            listings: listings.collect(),
            sea: Sea::new(stream(seed, u64::MAX - 4)),
            start_ms,
            faults,
            refresh: 0,
        };
        book.refresh_until(start_ms);
        book
    }

    /// Every refresh of the half minutes that are over.
    pub(super) fn refresh_until(&mut self, now_ms: i64) {
        loop {
            let begin_ms = self.start_ms + (self.refresh - WARM_UP) * REFRESH_MS;
            if begin_ms + REFRESH_MS > now_ms {
                return;
            }
            let tide = self.sea.next();
            let number = self.refresh.unsigned_abs();
            for listing in &mut self.listings {
                listing.refresh(number, begin_ms, tide, self.faults);
            }
            self.refresh += 1;
        }
    }
}
