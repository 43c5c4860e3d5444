//! Alerts on a chart.

use serde::Serialize;

use crate::state::Alert;

/// An alert, with what a chart shows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mark {
    pub alert_id: String,
    pub event_time: i64,
    pub price: f64,
    pub severity: String,
    pub message: String,
}

impl From<Alert> for Mark {
    fn from(alert: Alert) -> Self {
        Self {
            alert_id: alert.alert_id,
            event_time: alert.event_time,
            price: alert.price,
            severity: alert.severity,
            message: alert.message,
        }
    }
}
