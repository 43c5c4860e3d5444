//! What the synthetic market hides, and how much of it the alerts found.

use market::Reason;

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
    /// Trading at 8 to 20 times its normal rate for 1 to 3 minutes, the price quiet.
    VolumeSurge,
    /// One payload that must be rejected, for this reason.
    Bad(Reason),
}

/// How well alerts agree with what was injected.
///
/// The rule is strict: an alert is **true** when its coin and event time lie within a pump, crash or surge of that
/// coin, from the first to the last tick that was changed, with no grace before or after. An event is **found** when
/// at least one alert is true because of it. So a false alert in the wake of an event counts as false, and ten alerts
/// on one event find one event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// Alerts raised.
    pub alerts: usize,
    /// Alerts that lie in an injected event.
    pub alerts_true: usize,
    /// Pumps, crashes and surges injected.
    pub events: usize,
    /// Events with at least one alert.
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
        let mut found = vec![false; events.len()];
        let mut quality = Self {
            events: events.len(),
            ..Self::default()
        };
        for (coin, time_ms) in alerts {
            quality.alerts += 1;
            let event = events.iter().position(|event| {
                event.coin == coin && (event.from_ms..=event.to_ms).contains(&time_ms)
            });
            if let Some(event) = event {
                quality.alerts_true += 1;
                found[event] = true;
            }
        }
        quality.events_found = found.iter().filter(|&&found| found).count();
        quality
    }

    /// The share of alerts that are true; 1 when there are none.
    pub fn precision(&self) -> f64 {
        share(self.alerts_true, self.alerts)
    }

    /// The share of events that were found; 1 when there are none.
    pub fn recall(&self) -> f64 {
        share(self.events_found, self.events)
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
    fn alerts_count_each_and_events_count_once() {
        let event = |coin, from_ms, kind| Injected {
            coin,
            kind,
            from_ms,
            to_ms: from_ms + 10,
        };
        let truth = [
            event("a", 100, InjectedKind::Pump),
            event("a", 200, InjectedKind::VolumeSurge),
            event("b", 100, InjectedKind::Bad(Reason::Late)),
        ];
        let quality = Quality::measure(&truth, [("a", 100), ("a", 110), ("a", 111), ("b", 100)]);
        let expected = Quality {
            alerts: 4,
            alerts_true: 2,
            events: 2,
            events_found: 1,
        };
        assert_eq!(quality, expected);
        assert_eq!((quality.precision(), quality.recall()), (0.5, 0.5));
    }
}
