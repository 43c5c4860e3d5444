//! What the field market's coins were, at times that only go on.

use std::sync::Arc;

use super::book::Book;
use super::listing::REFRESH_MS;
use super::market::FieldMarket;
use crate::quote::Quote;

/// A coin that was not refreshed for so long has no quote.
const STALE_MS: i64 = 300_000;

/// The coins as CoinGecko holds them, whatever it delivers of them.
pub(crate) struct FieldPast {
    book: Book,
    pub start_ms: i64,
}

impl FieldPast {
    pub(crate) fn new(market: &FieldMarket) -> Self {
        let settings = market.settings();
        Self {
            book: Book::new(settings, market.truth()),
            start_ms: settings.start_ms,
        }
    }

    /// The ids of all coins, in the order of their quotes.
    pub(crate) fn coins(&self) -> impl Iterator<Item = &Arc<str>> {
        self.book.listings.iter().map(|listing| &listing.asset.id)
    }

    /// Goes on to a time.
    pub(crate) fn go_on(&mut self, now_ms: i64) {
        self.book.refresh_until(now_ms);
    }

    /// What a coin was some time in the last half hour; none where it had no price or was stale.
    pub(crate) fn quote(&self, coin: usize, time_ms: i64) -> Option<Quote> {
        let listing = self.book.listings.get(coin)?;
        let shown = listing.at(time_ms);
        if time_ms - shown.time_ms > STALE_MS + REFRESH_MS {
            return None;
        }
        Some(Quote {
            price: shown.price?,
            market_cap: Some(shown.market_cap),
            volume: Some(shown.volume),
        })
    }
}
