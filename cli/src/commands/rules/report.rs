//! What rules would have done, for people and for scripts.

use comfy_table::{Cell, CellAlignment};
use market::{Rule, Rules};
use serde::Serialize;

use super::replay::{Past, RulePast};
use crate::commands::table::{table, time};

/// A rule that holds in a greater share of the rows is warned of.
const SHARE_MAX: f64 = 0.1;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: f64 = 7.0 * DAY_MS as f64;

/// Its JSON form is an interface that scripts rely on.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    lake: String,
    /// First and last event time, in milliseconds since the epoch.
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    rules: Vec<RuleReport>,
}

#[derive(Debug, Serialize)]
struct RuleReport {
    name: String,
    coins: Vec<String>,
    when: String,
    severity: &'static str,
    /// Rows of its coins.
    rows: u64,
    /// Those in which it holds.
    held: u64,
    episodes: u64,
    /// `null` where the lake holds less than a day.
    episodes_a_week: Option<f64>,
    newest: Vec<Newest>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Newest {
    coin: String,
    /// Milliseconds since the epoch, as in the table of features.
    event_time: i64,
}

impl Report {
    pub(super) fn of(rules: &Rules, past: &Past, lake: String) -> Self {
        let rules = rules.list().iter().zip(&past.rules);
        Self {
            lake,
            from_ms: past.range.map(|(from, _)| from),
            to_ms: past.range.map(|(_, to)| to),
            rules: rules
                .map(|(rule, outcome)| RuleReport::of(rule, outcome, past))
                .collect(),
        }
    }

    pub(super) fn print(&self) {
        match (self.from_ms, self.to_ms) {
            (Some(from), Some(to)) => outln!(
                "rules over {}/features, {} to {} (UTC)",
                self.lake,
                time(from),
                time(to)
            ),
            _ => return outln!("{}/features has no rows yet", self.lake),
        }
        let mut shown = table(&[
            "rule",
            "severity",
            "holds in",
            "episodes",
            "a week",
            "the last (UTC)",
        ]);
        for rule in &self.rules {
            let a_week = rule.episodes_a_week;
            let newest = rule.newest.iter();
            let newest = newest.map(|it| format!("{} {}", time(it.event_time), it.coin));
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            shown.add_row([
                Cell::new(&rule.name),
                Cell::new(rule.severity),
                right(format!("{} of {} rows", rule.held, rule.rows)),
                right(rule.episodes.to_string()),
                right(a_week.map_or_else(|| "-".to_owned(), |a_week| format!("{a_week:.1}"))),
                Cell::new(newest.collect::<Vec<_>>().join("\n")),
            ]);
        }
        outln!("{shown}");
        for rule in &self.rules {
            for warning in &rule.warnings {
                outln!("warning: rule `{}`: {warning}", rule.name);
            }
        }
    }
}

impl RuleReport {
    fn of(rule: &Rule, outcome: &RulePast, past: &Past) -> Self {
        let coins = past.coins.iter();
        let coins = coins.filter(|(coin, _)| rule.is_about(coin));
        let rows = coins.map(|(_, rows)| rows).sum();
        let mut warnings = Vec::new();
        let unseen = rule
            .coins
            .iter()
            .filter(|coin| !past.coins.contains_key(*coin));
        let unseen: Vec<_> = unseen.map(String::as_str).collect();
        if !unseen.is_empty() {
            warnings.push(format!(
                "not in the lake: {}; check the spelling",
                unseen.join(", ")
            ));
        }
        for field in rule.fields() {
            if let Some(rows) = past.without.get(field.name()) {
                warnings.push(format!(
                    "{rows} rows of the lake are older than the field {field}: the rule cannot hold in them"
                ));
            }
        }
        let share = outcome.held as f64 / rows as f64;
        if share > SHARE_MAX {
            warnings.push(format!(
                "it holds in {:.0} % of the rows, too often to be useful: make the condition stricter",
                share * 100.0
            ));
        }
        let span = past.range.map_or(0, |(from, to)| to - from);
        let newest = outcome.newest.iter();
        Self {
            name: rule.name().to_owned(),
            coins: rule.coins.clone(),
            when: rule.when.to_string(),
            severity: rule.severity.as_str(),
            rows,
            held: outcome.held,
            episodes: outcome.episodes,
            episodes_a_week: (span >= DAY_MS)
                .then(|| outcome.episodes as f64 * WEEK_MS / span as f64),
            newest: newest
                .map(|(event_time, coin)| Newest {
                    coin: coin.clone(),
                    event_time: *event_time,
                })
                .collect(),
            warnings,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_coin_never_seen_and_a_rule_that_is_usual_are_warned_of() {
        let rules = r#"[{"name": "rare", "when": "price < 1"},
            {"name": "usual", "coins": ["bitcoin", "bitcon"], "when": "price > 1"}]"#;
        let rules = Rules::parse(rules).unwrap();
        let of = |held| RulePast {
            held,
            episodes: 3,
            newest: vec![(5, "bitcoin".to_owned())],
        };
        let past = Past {
            range: Some((0, DAY_MS * 14)),
            coins: BTreeMap::from([("bitcoin".to_owned(), 50), ("ethereum".to_owned(), 50)]),
            rules: vec![of(10), of(6)],
            without: BTreeMap::from([("price_prev", 7)]),
        };
        let report = Report::of(&rules, &past, "lake".to_owned());
        let [rare, usual] = &*report.rules else {
            panic!("two rules")
        };
        assert_eq!((rare.rows, rare.episodes_a_week), (100, Some(1.5)));
        assert!(rare.warnings.is_empty(), "a tenth is not more than a tenth");
        assert_eq!(usual.rows, 50);
        assert_eq!(
            usual.warnings,
            [
                "not in the lake: bitcon; check the spelling",
                "it holds in 12 % of the rows, too often to be useful: make the condition stricter"
            ]
        );
        let crossing = r#"[{"name": "r", "when": "price crosses_above 1"}]"#;
        let crossing = Report::of(&Rules::parse(crossing).unwrap(), &past, String::new());
        assert_eq!(
            crossing.rules[0].warnings,
            [
                "7 rows of the lake are older than the field price_prev: the rule cannot hold in them"
            ]
        );
        let short = Past {
            range: Some((0, DAY_MS - 1)),
            ..past
        };
        let report = Report::of(&rules, &short, "lake".to_owned());
        assert_eq!(report.rules[0].episodes_a_week, None);
    }
}
