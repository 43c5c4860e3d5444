//! The newest alerts, from crypto-alerts.

use std::collections::BTreeMap;

use connector_runtime::record::Record;
use serde::{Deserialize, Serialize};

use crate::state::begins::Begins;
use crate::state::duplicates::Duplicates;
use crate::state::firings::{Firing, Firings};

pub(crate) const ALERTS_MAX: usize = 1_000;

/// The newest alerts, at most [`ALERTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// By time, and by number in the order of arrival. Partitions are read back one after the other, so the last to arrive is not the
    /// newest.
    newest: BTreeMap<(i64, u64), Alert>,
    /// Alerts taken in so far, which is also the number of the next one.
    count: u64,
    begins: Begins,
    duplicates: Duplicates,
}

/// A record of crypto-alerts, without the fields that no page shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Alert {
    #[serde(skip_serializing)]
    source_offset: i64,
    pub alert_id: String,
    pub coin: String,
    pub symbol: String,
    pub event_time: i64,
    pub price: f64,
    pub kinds: Vec<String>,
    pub severity: String,
    #[serde(flatten)]
    pub evidence: Evidence,
    pub message: String,
}

/// What an alert was found by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    pub score: Option<f64>,
    pub zscore_15m: Option<f64>,
    pub move_15m: Option<f64>,
    pub return_15m: Option<f64>,
    pub return_zscore_15m: Option<f64>,
    pub volume_surge: Option<f64>,
    pub volume_ratio: Option<f64>,
}

impl Alerts {
    /// Takes records of crypto-alerts in. The console skips what it cannot read.
    pub(crate) fn take(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(alert) = serde_json::from_slice::<Alert>(&record.value) else {
                continue;
            };
            if self
                .duplicates
                .is_duplicate(partition, record, alert.source_offset)
            {
                continue;
            }
            self.newest.insert((record.timestamp_ms, self.count), alert);
            self.count += 1;
            if self.newest.len() > ALERTS_MAX
                && let Some((_, oldest)) = self.newest.pop_first()
            {
                (self.begins).forgotten(&oldest.coin, &oldest.kinds, oldest.event_time);
            }
        }
    }

    /// Notes when rules last fired, as far as these alerts say.
    pub(crate) fn fired(&self, firings: &mut Firings) {
        for alert in self.newest.values() {
            let firing = Firing {
                event_time: alert.event_time,
                coin: alert.coin.clone(),
            };
            firings.take(&alert.kinds, &firing);
        }
    }

    /// The number of the next alert.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// When an episode began; the first of its alerts that is in memory came at `begin`.
    pub(crate) fn begin_of(&self, coin: &str, subject: &str, begin: i64) -> i64 {
        self.begins.begin_of(coin, subject, begin)
    }

    /// The number of the next alert, and those in memory from number `from` on, the oldest first.
    pub(crate) fn since(&self, from: u64) -> (u64, Vec<Alert>) {
        let new = (self.newest.iter()).filter(|((_, number), _)| *number >= from);
        (self.count, new.map(|(_, alert)| alert.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(offset: i64, timestamp_ms: i64, coin: &str) -> Record {
        let value = serde_json::json!({
            "source_offset": offset, "alert_id": format!("{coin}:{timestamp_ms}"), "coin": coin, "symbol": coin,
            "event_time": timestamp_ms, "price": 1.0, "kinds": ["price_spike"], "severity": "warning", "score": 0.5,
            "zscore_15m": 4.5, "move_15m": 0.02,
            "return_15m": null, "return_zscore_15m": null, "volume_surge": null, "volume_ratio": null, "message": "m",
        });
        Record {
            offset,
            timestamp_ms,
            key: None,
            value: value.to_string().into(),
        }
    }

    fn many(timestamp_ms: i64, coin: &str) -> Vec<Record> {
        (0..ALERTS_MAX as i64)
            .map(|offset| alert(offset, timestamp_ms, coin))
            .collect()
    }

    #[test]
    fn a_client_that_asks_again_gets_only_new_alerts() {
        let mut alerts = Alerts::default();
        let count = ALERTS_MAX as i64 + 10;
        let all: Vec<_> = (0..count).map(|time| alert(time, time, "a")).collect();
        alerts.take(0, &all);
        let (next, all) = alerts.since(0);
        assert_eq!((next, all.len()), (count as u64, ALERTS_MAX));
        assert!(alerts.since(next).1.is_empty());
        alerts.take(0, &[alert(count, count, "a")]);
        let (_, new) = alerts.since(next);
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].event_time, count);
    }

    /// Partitions are read back one after the other.
    #[test]
    fn an_older_alert_that_arrives_later_displaces_no_newer_one() {
        let mut alerts = Alerts::default();
        alerts.take(0, &many(2_000, "a"));
        alerts.take(1, &many(1_000, "b"));
        let (next, all) = alerts.since(0);
        assert_eq!(next, 2 * ALERTS_MAX as u64);
        assert_eq!(all.len(), ALERTS_MAX);
        assert!(all.iter().all(|alert| alert.coin == "a"));
        alerts.take(1, &[alert(ALERTS_MAX as i64, 3_000, "b")]);
        let (_, new) = alerts.since(next);
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].coin, "b");
    }

    #[test]
    fn an_episode_keeps_its_begin_when_its_first_alerts_are_forgotten() {
        const MINUTE: i64 = 60_000;
        let mut alerts = Alerts::default();
        let all: Vec<_> = (0..ALERTS_MAX as i64 + 100)
            .map(|minute| alert(minute, minute * MINUTE, "a"))
            .collect();
        alerts.take(0, &all);
        let first = alerts.since(0).1[0].event_time;
        assert_eq!(first, 100 * MINUTE);
        assert_eq!(alerts.begin_of("a", "", first), 0);
        assert_eq!(alerts.begin_of("b", "", first), first);
        assert_eq!(alerts.begin_of("a", "rule", first), first);
        // After a pause there is another one.
        let later = 115 * MINUTE;
        assert_eq!(alerts.begin_of("a", "", later), later);
    }
}
