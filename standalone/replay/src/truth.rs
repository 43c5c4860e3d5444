//! What the synthetic market hides, and how much of it the alerts found.

use std::collections::{BTreeMap, BTreeSet};

use market::{Reason, Severity, Sighting, episodes};

/// Something put into the synthetic market on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The coin id.
    pub coin: &'static str,
    /// What was put in.
    pub kind: InjectedKind,
    /// Event time of the first tick it changed, milliseconds since the epoch.
    pub from_ms: i64,
    /// Event time of the last tick it changed.
    pub to_ms: i64,
}

/// The kinds of [`Injected`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedKind {
    /// The price rises by 1.5 to 8 % in 2 to 5 minutes, and stays there.
    Pump,
    /// The price falls by as much.
    Crash,
    /// Trading at 8 to 20 times its normal rate for 20 to 60 minutes, the price quiet.
    VolumeSurge,
    /// One payload that must be rejected, for this reason.
    Bad(Reason),
}

/// An episode still belongs to an event if it begins so long after it.
const GRACE_MS: i64 = 5 * 60_000;

/// How well alerts agree with what was injected.
///
/// Alerts count as episodes: those of a coin that follow each other within 15 minutes are one. An episode is **true** when it begins
/// in a pump, crash or surge of its coin, or within 5 minutes after it. An event is **found** when at least one episode is true
/// because of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// Episodes of alerts.
    pub episodes: usize,
    /// Episodes that begin in an injected event.
    pub episodes_true: usize,
    /// Pumps, crashes and surges injected.
    pub events: usize,
    /// Events with at least one episode.
    pub events_found: usize,
}

impl Quality {
    /// Compares alerts, each a coin and its event time in milliseconds, with the truth.
    pub fn measure<'a>(
        truth: &[Injected],
        alerts: impl IntoIterator<Item = (&'a str, i64)>,
    ) -> Self {
        let events: Vec<&Injected> = truth
            .iter()
            .filter(|injected| !matches!(injected.kind, InjectedKind::Bad(_)))
            .collect();
        let mut by_coin: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
        for (coin, time_ms) in alerts {
            by_coin.entry(coin).or_default().insert(time_ms);
        }
        let mut found = vec![false; events.len()];
        let mut quality = Self {
            events: events.len(),
            ..Self::default()
        };
        for (coin, times) in by_coin {
            for episode in episodes(times.into_iter().map(sighting)) {
                quality.episodes += 1;
                let event = events.iter().position(|event| {
                    event.coin == coin
                        && (event.from_ms..=event.to_ms + GRACE_MS).contains(&episode.begin)
                });
                if let Some(event) = event {
                    quality.episodes_true += 1;
                    found[event] = true;
                }
            }
        }
        quality.events_found = found.iter().filter(|&&found| found).count();
        quality
    }

    /// The share of episodes that are true; 1 when there are none.
    pub fn precision(&self) -> f64 {
        share(self.episodes_true, self.episodes)
    }

    /// The share of events that were found; 1 when there are none.
    pub fn recall(&self) -> f64 {
        share(self.events_found, self.events)
    }
}

/// Only its time counts.
fn sighting(event_time: i64) -> Sighting {
    Sighting {
        event_time,
        price: 1.0,
        severity: Severity::Warning,
        moved: 0.0,
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_count_once_and_events_count_once() {
        const MINUTE: i64 = 60_000;
        let event = |coin, minute, kind| Injected {
            coin,
            kind,
            from_ms: minute * MINUTE,
            to_ms: (minute + 10) * MINUTE,
        };
        let truth = [
            event("a", 100, InjectedKind::Pump),
            event("a", 200, InjectedKind::VolumeSurge),
            event("b", 100, InjectedKind::Bad(Reason::Late)),
        ];
        let alerts = [
            // One episode, another after the event, and one of a bad payload.
            ("a", 100),
            ("a", 99 + 15),
            ("a", 115),
            ("a", 131),
            ("b", 100),
        ];
        let quality = Quality::measure(&truth, alerts.map(|(coin, at)| (coin, at * MINUTE)));
        let expected = Quality {
            episodes: 3,
            episodes_true: 1,
            events: 2,
            events_found: 1,
        };
        assert_eq!(quality, expected);
        assert_eq!(quality.recall(), 0.5);
        let late = Quality::measure(&truth, [("a", 215 * MINUTE), ("a", 116 * MINUTE)]);
        assert_eq!((late.episodes, late.episodes_true), (2, 1));
    }
}
