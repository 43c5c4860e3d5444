//! What a poll says about how fresh CoinGecko's data is.
//!
//! Replies come from caches, up to 261 s old, so a poll that brings nothing new means little. Now and then, though,
//! CoinGecko gives old replies for hours, or empty lists, and calls them a success.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::poll::Polled;
use crate::status::{NOTHING_NEW_MAX, PollResult, SourceStatus};

/// Judges polls, one after the other, and reports what changes.
pub(crate) struct Freshness {
    status: Arc<SourceStatus>,
    /// The latest `last_updated` so far.
    newest_ms: Option<i64>,
    last: PollResult,
    stuck: bool,
}

impl Freshness {
    pub(crate) fn new(status: Arc<SourceStatus>) -> Self {
        Self {
            status,
            newest_ms: None,
            last: PollResult::New,
            stuck: false,
        }
    }

    /// Counts a poll, and reports the first of a kind.
    pub(crate) fn polled(&mut self, polled: &Polled) {
        let without = self.status.nothing_new().1;
        let result = self.judge(polled, without);
        self.status.count_poll(result);
        if result == PollResult::New {
            self.newest_ms = self.newest_ms.max(polled.newest_ms);
            if let Some(newest) = self.newest_ms {
                self.status.newest(newest);
            }
        }
        let (polls, without) = self.status.nothing_new();
        match result {
            PollResult::Frozen if self.last != result => tracing::warn!(
                "CoinGecko gives a frozen reply: none of its {} coins is newer than before, the newest is of {}",
                polled.elements,
                time(polled.newest_ms.or(self.newest_ms))
            ),
            PollResult::Empty if self.last != result => tracing::warn!(
                "CoinGecko gives an empty list: check coingecko.ids and coingecko.category if this goes on"
            ),
            _ => {}
        }
        if result != PollResult::Failed {
            self.last = result;
        }
        let stuck = self.status.stuck().is_some();
        if stuck && !self.stuck {
            tracing::error!(
                "CoinGecko has said nothing new for {} s and {polls} polls: not ready until it does",
                without.as_secs()
            );
        } else if self.stuck && !stuck {
            tracing::info!("CoinGecko's data moves again");
        }
        self.stuck = stuck;
    }

    fn judge(&self, polled: &Polled, without: Duration) -> PollResult {
        let behind = |newest: i64| {
            self.newest_ms.is_some_and(|before| {
                before.saturating_sub(newest) >= NOTHING_NEW_MAX.as_millis() as i64
            })
        };
        if polled.pages_answered == 0 {
            PollResult::Failed
        } else if polled.newer {
            PollResult::New
        } else if polled.elements == 0 {
            PollResult::Empty
        } else if without >= NOTHING_NEW_MAX || polled.newest_ms.is_some_and(behind) {
            PollResult::Frozen
        } else {
            PollResult::Unchanged
        }
    }
}

fn time(ms: Option<i64>) -> String {
    ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}
