//! What is real in the field market: pumps, crashes and bursts of volume, each known.

use std::sync::Arc;

use rand::RngExt as _;

use super::catalogue::{Asset, Nature};
use crate::random::stream;

const MINUTE_MS: i64 = 60_000;
const WEEK_MINUTES: i64 = 7 * 1_440;
/// No event begins this early, before baselines exist, or ends this close to the next week.
const QUIET_MINUTES: i64 = 120;

/// One thing that really happened to a coin. Everything else that its prices and volumes do is noise.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldEvent {
    /// The coin id.
    pub coin: Arc<str>,
    /// What happened.
    pub kind: FieldEventKind,
    /// Pump or crash: the whole move as a share of the price before, 0.03 to 0.10. Volume burst: trading as a multiple of
    /// its average, 8 to 20.
    pub size: f64,
    /// When it begins, milliseconds since the epoch.
    pub from_ms: i64,
    /// When the move is complete or the burst over.
    pub to_ms: i64,
}

/// The kinds of [`FieldEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldEventKind {
    /// The price rises within 1 to 15 minutes, and stays there.
    Pump,
    /// The price falls within 1 to 15 minutes, and stays there.
    Crash,
    /// Trading at a multiple of its average for 20 to 60 minutes.
    VolumeBurst,
}

impl FieldEvent {
    /// The share of a move that is done by a time, 0 to 1.
    pub(super) fn done(&self, time_ms: i64) -> f64 {
        let length = (self.to_ms - self.from_ms) as f64;
        ((time_ms - self.from_ms) as f64 / length).clamp(0.0, 1.0)
    }
}

/// One event a coin and week, at a time of its own, less those that would not end in time. Pegged coins keep their peg and get bursts only; what is not
/// traded, or hardly, gets none.
pub(super) fn plan(seed: u64, assets: &[Asset], start_ms: i64, minutes: u32) -> Vec<FieldEvent> {
    let mut rng = stream(seed, u64::MAX - 2);
    let weeks = i64::from(minutes.div_ceil(WEEK_MINUTES as u32));
    let end_ms = start_ms + i64::from(minutes) * MINUTE_MS;
    let mut events = Vec::new();
    for asset in assets {
        for week in 0..weeks {
            // Drawn whether used or not: a coin's events do not depend on the other coins.
            let which = rng.random_range(0..3);
            let burst = rng.random_range(8.0..20.0);
            let burst_minutes = rng.random_range(20..=60);
            let share = rng.random_range(0.03..0.10);
            let minutes = rng.random_range(1..=15);
            let begin = rng.random_range(QUIET_MINUTES..WEEK_MINUTES - QUIET_MINUTES);
            let kind = match (asset.nature, which) {
                (Nature::Fund, _) => continue,
                _ if asset.sleepy => continue,
                (Nature::Pegged { .. }, _) | (_, 2) => FieldEventKind::VolumeBurst,
                (_, 0) => FieldEventKind::Pump,
                _ => FieldEventKind::Crash,
            };
            let (size, length) = match kind {
                FieldEventKind::VolumeBurst => (burst, burst_minutes),
                _ => (share, minutes),
            };
            let from_ms = start_ms + (week * WEEK_MINUTES + begin) * MINUTE_MS;
            if from_ms + length * MINUTE_MS > end_ms {
                continue;
            }
            events.push(FieldEvent {
                coin: asset.id.clone(),
                kind,
                size,
                from_ms,
                to_ms: from_ms + length * MINUTE_MS,
            });
        }
    }
    events.sort_by(|a, b| (a.from_ms, &a.coin).cmp(&(b.from_ms, &b.coin)));
    events
}
