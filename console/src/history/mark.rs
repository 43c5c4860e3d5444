//! Alerts on a chart and in episodes.

use serde::Serialize;

use crate::state::{Alert, Evidence};

/// An alert, with what pages show of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mark {
    pub alert_id: String,
    pub coin: String,
    pub symbol: String,
    pub event_time: i64,
    pub price: f64,
    pub kinds: Vec<String>,
    pub severity: String,
    pub message: String,
    #[serde(flatten)]
    pub evidence: Evidence,
}

impl From<Alert> for Mark {
    fn from(alert: Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            coin: alert.coin,
            symbol: alert.symbol,
            event_time: alert.event_time,
            price: alert.price,
            kinds: alert.kinds,
            severity: alert.severity,
            message: alert.message,
            evidence: alert.evidence,
        }
    }
}
