//! Alerts as people are told of them: episodes, those of the built-in kinds and those of each rule apart.

use std::collections::HashMap;

use market::{Episodes, News, Rule, Severity};
use serde::Serialize;

use crate::history::mark::Mark;
use crate::state::{Evidence, sighting_at};

/// Alerts of one coin that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Episode {
    /// That of its first alert, and the subject.
    pub id: String,
    pub coin: String,
    pub symbol: String,
    /// The rule's name; empty for the built-in kinds.
    pub subject: String,
    pub begin: i64,
    pub end: i64,
    /// The worst of its alerts: the most severe, then the one of the highest score, then of the largest move, then the newest.
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
        if is_as_bad(&self.alerts[newest], &self.alerts[self.worst]) {
            self.worst = newest;
        }
    }

    /// Takes in that it began before its first alert here.
    pub(crate) fn has_begun(&mut self, begin: i64) {
        if begin < self.begin {
            self.begin = begin;
            self.id = format!("{}:{begin} {}", self.coin, self.subject);
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
            if follower.take(&sighting_at(alert.event_time)) == Some(News::Begins) {
                *place = episodes.len();
                episodes.push(Episode::beginning_with(subject, &alert));
            }
            episodes[*place].take(alert.clone());
        }
    }
    episodes.sort_by(|a, b| (a.end, &a.id).cmp(&(b.end, &b.id)));
    episodes
}

fn is_as_bad(alert: &Mark, other: &Mark) -> bool {
    let size = |number: Option<f64>| number.map_or(0.0, f64::abs);
    let figures = |alert: &Mark| {
        let Evidence {
            score,
            move_15m,
            return_15m,
            ..
        } = &alert.evidence;
        [size(*score), size(*move_15m).max(size(*return_15m))]
    };
    let of_severity = severity_of(alert).cmp(&severity_of(other));
    let pairs = figures(alert).into_iter().zip(figures(other));
    pairs
        .fold(of_severity, |order, (a, b)| order.then(a.total_cmp(&b)))
        .is_ge()
}

fn severity_of(alert: &Mark) -> Severity {
    Severity::named(&alert.severity).unwrap_or(Severity::Info)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_episode_is_headed_by_its_peak() {
        let spike = |minute: i64, severity: &str, score: f64, moved: f64| Mark {
            evidence: Evidence {
                score: Some(score),
                move_15m: Some(moved),
                ..Evidence::default()
            },
            ..alert("bitcoin", minute, severity, &["price_spike"])
        };
        let worst = |alerts: Vec<Mark>| episodes(alerts)[0].worst;
        let rising = spike(0, "warning", 0.9, 0.05);
        let peak = spike(1, "critical", 1.0, -0.2);
        let high = spike(2, "critical", 1.0, 0.1);
        let falling = spike(3, "critical", 0.95, 0.3);
        assert_eq!(worst(vec![rising.clone(), peak, high, falling]), 1);
        assert_eq!(
            worst(vec![
                rising.clone(),
                Mark {
                    event_time: 1,
                    ..rising
                }
            ]),
            1
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
