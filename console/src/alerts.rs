//! The newest alerts and rejects, from crypto-alerts and crypto-rejected.

use std::collections::{BTreeMap, VecDeque};

use connector_runtime::reader::Record;
use serde::{Deserialize, Serialize};

use crate::follow::Doubles;

/// How many of each are held.
pub(crate) const ALERTS_MAX: usize = 1_000;
pub(crate) const REJECTS_MAX: usize = 5_000;

/// The newest alerts, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    newest: VecDeque<Alert>,
    /// How many there have been: the number of the next one.
    count: u64,
    doubles: Doubles,
}

/// What crypto-alerts holds.
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
    pub score: f64,
    pub zscore_15m: Option<f64>,
    pub volume_surge: Option<f64>,
    pub volume_ratio: Option<f64>,
    pub message: String,
}

impl Alerts {
    /// Takes records of crypto-alerts in.
    pub fn take(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(alert) = serde_json::from_slice::<Alert>(&record.value) else {
                continue;
            };
            if self
                .doubles
                .is_double(partition, record, alert.source_offset)
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

    /// Alerts from number `from` on that are still held, oldest first, and the number of the next one.
    pub fn since(&self, from: u64) -> (u64, Vec<Alert>) {
        let new = usize::try_from(self.count - from).unwrap_or(usize::MAX);
        let skip = self.newest.len().saturating_sub(new);
        (self.count, self.newest.range(skip..).cloned().collect())
    }
}

/// Why the newest rejected records were rejected.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    newest: VecDeque<String>,
    by_reason: BTreeMap<String, u64>,
    doubles: Doubles,
}

#[derive(Deserialize)]
struct Reject {
    source_offset: i64,
    reason: String,
}

/// How often each reason occurs among the newest rejected records.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct RejectCounts {
    /// Of how many records.
    of: usize,
    by_reason: BTreeMap<String, u64>,
}

impl Rejects {
    /// Takes records of crypto-rejected in.
    pub fn take(&mut self, partition: u32, records: &[Record]) {
        for record in records {
            let Ok(reject) = serde_json::from_slice::<Reject>(&record.value) else {
                continue;
            };
            if self
                .doubles
                .is_double(partition, record, reject.source_offset)
            {
                continue;
            }
            if self.newest.len() == REJECTS_MAX
                && let Some(reason) = self.newest.pop_front()
                && let Some(count) = self.by_reason.get_mut(&reason)
            {
                *count -= 1;
            }
            *self.by_reason.entry(reject.reason.clone()).or_default() += 1;
            self.newest.push_back(reject.reason);
        }
    }

    /// The counts now.
    pub fn counts(&self) -> RejectCounts {
        RejectCounts {
            of: self.newest.len(),
            by_reason: self.by_reason.clone(),
        }
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
    fn whoever_asks_again_gets_only_the_new_ones() {
        let alert = |offset: i64| {
            record(serde_json::json!({
                "source_offset": offset, "alert_id": format!("a:{offset}"), "coin": "a", "symbol": "a",
                "event_time": offset, "price": 1.0, "kinds": ["price_spike"], "severity": "warning", "score": 0.5,
                "zscore_15m": 4.5, "volume_surge": null, "volume_ratio": null, "message": "m",
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

    #[test]
    fn reasons_are_counted_among_the_newest() {
        let reject = |offset: i64, reason: &str| {
            record(serde_json::json!({"source_offset": offset, "reason": reason}))
        };
        let mut rejects = Rejects::default();
        rejects.take(0, &[reject(0, "late"), reject(1, "late")]);
        let many: Vec<_> = (0..REJECTS_MAX as i64 - 1)
            .map(|i| reject(2 + i, "duplicate"))
            .collect();
        rejects.take(0, &many);
        let counts = rejects.counts();
        assert_eq!(counts.of, REJECTS_MAX);
        assert_eq!(counts.by_reason["late"], 1);
    }
}
