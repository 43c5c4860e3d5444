//! Alerts as people are told of them: episodes, those of the built-in kinds and those of each rule apart.

use std::collections::HashMap;

use market::{Episodes, News, Rule, Severity, Sighting};
use serde::Serialize;

use crate::history::mark::Mark;

/// Alerts of one coin that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Episode {
    /// One episode has one name as long as it begins with the same alert.
    pub id: String,
    pub coin: String,
    pub symbol: String,
    /// The rule's name; empty for the built-in kinds.
    pub subject: String,
    pub begin: i64,
    pub end: i64,
    /// The worst of its alerts, and of two that are as severe the newer one.
    pub worst: usize,
    /// By event time.
    pub alerts: Vec<Mark>,
}

impl Episode {
    fn beginning_with(subject: &str, alert: &Mark) -> Self {
        Self {
            id: format!("{} {subject}", alert.alert_id),
            coin: alert.coin.clone(),
            symbol: alert.symbol.clone(),
            subject: subject.to_owned(),
            begin: alert.event_time,
            end: alert.event_time,
            worst: 0,
            alerts: Vec::new(),
        }
    }

    fn take(&mut self, alert: Mark) {
        self.end = alert.event_time;
        self.alerts.push(alert);
        let newest = self.alerts.len() - 1;
        if severity_of(&self.alerts[newest]) >= self.severity() {
            self.worst = newest;
        }
    }

    /// The worst severity among its alerts.
    pub(crate) fn severity(&self) -> Severity {
        severity_of(&self.alerts[self.worst])
    }
}

/// The episodes of these alerts, by the times of their newest ones.
pub(crate) fn episodes(mut alerts: Vec<Mark>) -> Vec<Episode> {
    alerts.sort_by_key(|alert| alert.event_time);
    let mut followers: HashMap<(String, String), (Episodes, usize)> = HashMap::new();
    let mut episodes: Vec<Episode> = Vec::new();
    for alert in alerts {
        for rule in Rule::subjects(&alert.kinds) {
            let subject = rule.unwrap_or_default();
            let key = (alert.coin.clone(), subject.to_owned());
            let (follower, place) = followers.entry(key).or_default();
            // Only the times decide what belongs together.
            let sighting = Sighting {
                event_time: alert.event_time,
                price: 1.0,
                severity: Severity::Critical,
                moved: 0.0,
            };
            if follower.take(&sighting) == Some(News::Begins) {
                *place = episodes.len();
                episodes.push(Episode::beginning_with(subject, &alert));
            }
            episodes[*place].take(alert.clone());
        }
    }
    episodes.sort_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
    episodes
}

fn severity_of(alert: &Mark) -> Severity {
    Severity::named(&alert.severity).unwrap_or(Severity::Info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Evidence;

    const MINUTE: i64 = 60_000;

    fn alert(coin: &str, minute: i64, severity: &str, kinds: &[&str]) -> Mark {
        Mark {
            alert_id: format!("{coin}:{minute}"),
            coin: coin.to_owned(),
            symbol: coin.to_owned(),
            event_time: minute * MINUTE,
            price: 1.0,
            kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            severity: severity.to_owned(),
            message: String::new(),
            evidence: Evidence::default(),
        }
    }

    #[test]
    fn alerts_within_a_quarter_of_an_hour_are_one_episode_with_the_worst_severity() {
        let spike = &["price_spike"];
        let found = episodes(vec![
            alert("bitcoin", 40, "warning", spike),
            alert("bitcoin", 0, "warning", spike),
            alert("bitcoin", 15, "critical", &["price_move", "price_spike"]),
            alert("bitcoin", 16, "info", spike),
            alert("solana", 1, "info", spike),
        ]);
        let found: Vec<_> = found
            .iter()
            .map(|it| {
                (
                    &*it.coin,
                    it.begin / MINUTE,
                    it.end / MINUTE,
                    it.severity().as_str(),
                    it.alerts.len(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("solana", 1, 1, "info", 1),
                ("bitcoin", 0, 16, "critical", 3),
                ("bitcoin", 40, 40, "warning", 1),
            ]
        );
    }

    #[test]
    fn each_rule_has_episodes_of_its_own() {
        let found = episodes(vec![
            alert(
                "bitcoin",
                0,
                "warning",
                &["rule:b", "price_spike", "rule:a"],
            ),
            alert("bitcoin", 1, "warning", &["rule:a"]),
        ]);
        let mut found: Vec<_> = found
            .iter()
            .map(|it| (&*it.subject, it.alerts.len()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [("", 1), ("a", 2), ("b", 1)]);
    }
}
