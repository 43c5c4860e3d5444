//! An alert, as crypto-alerts holds it.

use anyhow::{Context, Result};
use connector_runtime::record::Record;
use market::{Rule, Rules, Severity, Sighting};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An alert.
#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) coin: String,
    /// For a receiver that mutes some kinds, that of the others; see `Selection::narrow`.
    pub(crate) severity: Severity,
    /// How severe it is by the built-in kinds alone.
    built_in: Severity,
    /// What is anomalous: built-in kinds, and `rule:NAME` for rules, without those that the receiver mutes.
    pub(crate) kinds: Vec<String>,
    /// One alert has one id, however often it is computed.
    pub(crate) id: String,
    /// What happened, in one sentence.
    pub(crate) message: String,
    /// Milliseconds since the epoch.
    pub(crate) event_time_ms: i64,
    /// It was computed from the coin's history, not from a live tick.
    pub(crate) backfilled: bool,
    /// What decides whether it is news within its episode.
    pub(crate) sighting: Sighting,
    /// The record as crypto-alerts has it, without the fields that only stages need.
    pub(crate) record: Map<String, Value>,
}

#[derive(Deserialize)]
struct Fields {
    alert_id: String,
    coin: String,
    event_time: i64,
    price: f64,
    move_15m: Option<f64>,
    return_15m: Option<f64>,
    severity: String,
    #[serde(default)]
    score: f64,
    #[serde(default)]
    kinds: Vec<String>,
    message: String,
    #[serde(default)]
    backfilled: bool,
}

impl Alert {
    /// # Errors
    /// When the record is no alert.
    pub(crate) fn read(record: &Record) -> Result<Self> {
        let mut value: Map<String, Value> = serde_json::from_slice(&record.value)?;
        for internal in ["source_offset", "status"] {
            value.remove(internal);
        }
        let fields: Fields = serde_json::from_value(Value::Object(value.clone()))?;
        let severity = Severity::named(&fields.severity)
            .with_context(|| format!("unknown severity {:?}", fields.severity))?;
        // A rule has lifted the severity of the whole alert to its own.
        let is_lifted = fields
            .kinds
            .iter()
            .any(|kind| Rule::name_of_kind(kind).is_some());
        let built_in = match is_lifted {
            true => Severity::of_score(fields.score),
            false => severity,
        };
        Ok(Self {
            coin: fields.coin,
            severity,
            built_in,
            kinds: fields.kinds,
            id: fields.alert_id,
            message: fields.message,
            event_time_ms: fields.event_time,
            backfilled: fields.backfilled,
            sighting: Sighting {
                event_time: fields.event_time,
                price: fields.price,
                severity,
                moved: Sighting::moved(fields.move_15m, fields.return_15m),
            },
            record: value,
        })
    }

    /// How severe it is by one of its rules, or by the built-in kinds.
    pub(crate) fn severity_of(&self, rule: Option<&str>, rules: &Rules) -> Severity {
        match rule {
            Some(name) => rules.get(name).map_or(self.severity, |rule| rule.severity),
            None => self.built_in,
        }
    }
}
