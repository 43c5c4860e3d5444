//! Which alerts a receiver is told of: rules and built-in kinds, by their names.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use market::{Kinds, Rule, Rules};

use crate::alert::Alert;

/// Names of rules, such as `btc-60k`, and of built-in kinds, such as `price_spike`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Of these only; empty: of all.
    pub only: Vec<String>,
    /// Not of these.
    pub mute: Vec<String>,
}

impl Selection {
    /// Leaves in an alert what is told of, with its severity; false where that is nothing.
    pub(crate) fn narrow(&self, alert: &mut Alert, rules: &Rules) -> bool {
        if alert.kinds.is_empty() {
            return self.only.is_empty();
        }
        let all = alert.kinds.len();
        alert.kinds.retain(|kind| self.wants(kind));
        if alert.kinds.len() == all {
            return true;
        }
        let severity_of = |kind: &String| alert.severity_of(Rule::name_of_kind(kind), rules);
        let Some(severity) = alert.kinds.iter().map(severity_of).max() else {
            return false;
        };
        (alert.severity, alert.sighting.severity) = (severity, severity);
        true
    }

    fn wants(&self, kind: &str) -> bool {
        let name = Rule::name_of_kind(kind).unwrap_or(kind);
        let is_in = |names: &[String]| names.iter().any(|it| it == name);
        (self.only.is_empty() || is_in(&self.only)) && !is_in(&self.mute)
    }
}

/// Checks names of rules and built-in kinds.
///
/// # Errors
/// With those that nobody knows, and those that are known.
pub(crate) fn check_names<'a>(
    names: impl IntoIterator<Item = &'a String>,
    rules: &Rules,
) -> Result<()> {
    let mut known: Vec<&str> = Kinds::ALL.names().collect();
    known.extend(rules.list().iter().map(Rule::name));
    let names: BTreeSet<&str> = names.into_iter().map(String::as_str).collect();
    let unknown: Vec<_> = names
        .into_iter()
        .filter(|name| !known.contains(name))
        .map(|name| format!("`{name}`"))
        .collect();
    ensure!(
        unknown.is_empty(),
        "{} in `only` or `mute`: no rule and no built-in kind; known here: {}",
        unknown.join(", "),
        known.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use connector_runtime::record::Record;
    use market::Severity;
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        let list = json!([
            {"name": "btc-60k", "when": "price < 60000", "severity": "critical"},
            {"name": "calm", "when": "abs(return_15m) < 0.001", "severity": "info"},
        ]);
        Rules::parse(&list.to_string()).unwrap()
    }

    fn alert(kinds: &[&str], score: f64) -> Alert {
        let value = json!({"alert_id": "bitcoin:0", "coin": "bitcoin", "symbol": "btc", "event_time": 0, "price": 1,
            "severity": "critical", "score": score, "kinds": kinds, "message": "m"});
        Alert::read(&Record {
            offset: 0,
            timestamp_ms: 0,
            key: None,
            value: value.to_string().into(),
        })
        .unwrap()
    }

    /// What is left of an alert, and how severe that is.
    fn narrowed(only: &[&str], mute: &[&str], mut alert: Alert) -> Option<(Vec<String>, Severity)> {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let selection = Selection {
            only: names(only),
            mute: names(mute),
        };
        let left = selection.narrow(&mut alert, &rules());
        assert_eq!(alert.severity, alert.sighting.severity);
        left.then_some((alert.kinds, alert.severity))
    }

    #[test]
    fn what_is_left_has_its_own_severity() {
        let all = ["price_spike", "rule:btc-60k", "rule:calm"];
        let kept = |kinds: &[&str], severity| {
            Some((
                kinds.iter().map(|&kind| kind.to_owned()).collect(),
                severity,
            ))
        };
        let of = |only: &[&str], mute: &[&str]| narrowed(only, mute, alert(&all, 0.5));
        assert_eq!(of(&[], &[]), kept(&all, Severity::Critical));
        assert_eq!(
            of(&["btc-60k"], &[]),
            kept(&["rule:btc-60k"], Severity::Critical)
        );
        assert_eq!(of(&["calm"], &[]), kept(&["rule:calm"], Severity::Info));
        assert_eq!(
            of(&[], &["btc-60k"]),
            kept(&["price_spike", "rule:calm"], Severity::Warning)
        );
        assert_eq!(
            of(&["calm", "price_spike"], &["calm"]),
            kept(&["price_spike"], Severity::Warning)
        );
        assert_eq!(of(&["price_move"], &[]), None);
        assert_eq!(of(&["calm"], &["calm"]), None);
    }

    #[test]
    fn an_alert_without_kinds_is_for_those_who_want_all() {
        assert!(narrowed(&[], &["calm"], alert(&[], 0.5)).is_some());
        assert!(narrowed(&["calm"], &[], alert(&[], 0.5)).is_none());
    }

    #[test]
    fn names_that_nobody_knows_are_refused_with_those_that_are_known() {
        let names =
            |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
        check_names(&names(&["calm", "price_move"]), &rules()).unwrap();
        let error = check_names(&names(&["btc-6k", "calm", "rule:calm"]), &rules()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`btc-6k`, `rule:calm` in `only` or `mute`: no rule and no built-in kind; known here: price_spike, price_move, \
             volume_spike, btc-60k, calm"
        );
    }
}
