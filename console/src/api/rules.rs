//! The Alerts page: what makes an alert, the user's rules, and when each last fired.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use market::names::layer;
use market::{Rule, Severity};
use serde::Serialize;

use crate::api::error::ApiError;
use crate::history::rules;
use crate::shared::Shared;
use crate::state::{Firing, Firings};

/// The rules that the stage of alerts runs with.
#[derive(Debug, Serialize)]
pub(crate) struct RuleList {
    /// Whether they are known: the stage's first commit says them.
    known: bool,
    rules: Vec<RuleRow>,
}

/// A rule. One that fired and is not among those of the stage's newest commit has a name only.
#[derive(Debug, Serialize)]
struct RuleRow {
    name: String,
    /// Empty: all coins.
    coins: Vec<String>,
    when: Option<String>,
    severity: Option<&'static str>,
    repeat_seconds: Option<u64>,
    last: Option<Firing>,
}

impl RuleRow {
    fn of(rule: &Rule) -> Self {
        Self {
            coins: rule.coins.clone(),
            when: Some(rule.when.to_string()),
            severity: Some(rule.severity.as_str()),
            repeat_seconds: Some(rule.repeat.as_secs()),
            ..Self::named(rule.name())
        }
    }

    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            coins: Vec::new(),
            when: None,
            severity: None,
            repeat_seconds: None,
            last: None,
        }
    }
}

/// What figures must be beyond to make an alert.
#[derive(Debug, Serialize)]
pub(crate) struct Bounds {
    price_zscore: f64,
    min_move: f64,
    min_return: f64,
    volume_surge: f64,
    /// The least scores of severities.
    critical: f64,
    warning: f64,
    /// Below it the built-in kinds make no alert.
    min_severity: &'static str,
}

/// Those of the newest commit; `null` before the first one.
pub(crate) async fn bounds(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Option<Bounds>>, ApiError> {
    let snapshot = shared.tables.snapshot(layer::ALERTS).await?;
    let params = snapshot.as_deref().and_then(rules::bounds);
    Ok(Json(params.map(|params| Bounds {
        price_zscore: params.price_zscore,
        min_move: params.min_move,
        min_return: params.min_return,
        volume_surge: params.volume_surge,
        critical: Severity::CRITICAL_FROM,
        warning: Severity::WARNING_FROM,
        min_severity: params.min_severity.as_str(),
    })))
}

pub(crate) async fn rules(State(shared): State<Arc<Shared>>) -> Result<Json<RuleList>, ApiError> {
    let snapshot = shared.tables.snapshot(layer::ALERTS).await?;
    let (running, mut firings) = match snapshot {
        Some(snapshot) => (
            rules::running(&snapshot),
            shared.firings.read(&snapshot).await?,
        ),
        None => (None, Firings::default()),
    };
    // The newest are in no file yet.
    shared.alerts.lock().fired(&mut firings);
    let known = running.is_some();
    let running = running.unwrap_or_default();
    let mut rules: Vec<RuleRow> = running.list().iter().map(RuleRow::of).collect();
    for (name, firing) in firings.0 {
        let place = rules.iter().position(|rule| rule.name == name);
        let place = place.unwrap_or_else(|| {
            rules.push(RuleRow::named(&name));
            rules.len() - 1
        });
        rules[place].last = Some(firing);
    }
    Ok(Json(RuleList { known, rules }))
}
