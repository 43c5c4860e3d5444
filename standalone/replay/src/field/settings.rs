//! What a field market is made of.

use super::faults::{Dating, Faults};
use crate::refusal::Refusal;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;

/// The settings of a field market.
#[derive(Debug, Clone)]
pub struct FieldSettings {
    /// Everything follows from it and from the other settings.
    pub seed: u64,
    /// The coins that are listed by market cap; with [`Faults::odd_coins`] a dozen more follow.
    pub coins: usize,
    /// When the market begins, milliseconds since the epoch.
    pub start_ms: i64,
    /// How long it lasts.
    pub minutes: u32,
    /// Seconds from poll to poll.
    pub poll_secs: u32,
    /// Whether pumps, crashes and bursts are injected, one a coin and week.
    pub events: bool,
    /// How `last_updated` is set.
    pub dating: Dating,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// What the first poll gets in place of its reply.
    pub opens_with: Option<&'static Refusal>,
}

impl FieldSettings {
    /// When it begins and ends.
    pub(super) fn span_ms(&self) -> (i64, i64) {
        let length_ms = i64::from(self.minutes) * 60_000;
        (self.start_ms, self.start_ms + length_ms)
    }
}

impl Default for FieldSettings {
    /// The market of `coinlake demo --market field`: a day of 270 coins, polled every minute.
    fn default() -> Self {
        Self {
            seed: 11,
            coins: 270,
            start_ms: START_MS,
            minutes: 1_440,
            poll_secs: 60,
            events: true,
            dating: Dating::SharedTime,
            faults: Faults::ALL,
            opens_with: None,
        }
    }
}
