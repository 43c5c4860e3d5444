//! The newest alerts, from crypto-alerts.

use std::collections::VecDeque;

use connector_runtime::record::Record;
use serde::{Deserialize, Serialize};

use crate::state::duplicates::Duplicates;
use crate::state::firings::{Firing, Firings};

pub(crate) const ALERTS_MAX: usize = 1_000;

/// The newest alerts, at most [`ALERTS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Oldest first.
    newest: VecDeque<Alert>,
    /// Alerts taken in so far, which is also the number of the next one.
    count: u64,
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
            if self.newest.len() == ALERTS_MAX {
                self.newest.pop_front();
            }
            self.newest.push_back(alert);
            self.count += 1;
        }
    }

    /// Notes when rules last fired, as far as these alerts say.
    pub(crate) fn fired(&self, firings: &mut Firings) {
        for alert in &self.newest {
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

    /// The number of the next alert, and those in memory from number `from` on, oldest first.
    pub(crate) fn since(&self, from: u64) -> (u64, Vec<Alert>) {
        let new = usize::try_from(self.count - from).unwrap_or(usize::MAX);
        let skip = self.newest.len().saturating_sub(new);
        (self.count, self.newest.range(skip..).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: serde_json::Value) -> Record {
        Record {
            offset: value["source_offset"].as_i64().unwrap(),
            timestamp_ms: 0,
            key: None,
            value: value.to_string().into(),
        }
    }

    #[test]
    fn a_client_that_asks_again_gets_only_new_alerts() {
        let alert = |offset: i64| {
            record(serde_json::json!({
                "source_offset": offset, "alert_id": format!("a:{offset}"), "coin": "a", "symbol": "a",
                "event_time": offset, "price": 1.0, "kinds": ["price_spike"], "severity": "warning", "score": 0.5,
                "zscore_15m": 4.5, "move_15m": 0.02,
                "return_15m": null, "return_zscore_15m": null, "volume_surge": null, "volume_ratio": null, "message": "m",
            }))
        };
        let mut alerts = Alerts::default();
        let count = ALERTS_MAX as i64 + 10;
        alerts.take(0, &(0..count).map(alert).collect::<Vec<_>>());
        let (next, all) = alerts.since(0);
        assert_eq!((next, all.len()), (count as u64, ALERTS_MAX));
        assert!(alerts.since(next).1.is_empty());
        alerts.take(0, &[alert(count)]);
        let (_, new) = alerts.since(next);
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].event_time, count);
    }
}
