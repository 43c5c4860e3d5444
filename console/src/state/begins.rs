//! When episodes began whose first alerts are no longer in memory: those that go on keep their begin.

use std::collections::HashMap;

use market::{Episodes, Rule, Severity, Sighting};

/// By coin and subject, the newest episode of the alerts that were forgotten.
#[derive(Debug, Default)]
pub(crate) struct Begins(HashMap<(String, String), Episodes>);

impl Begins {
    /// Takes in an alert that is forgotten.
    pub(crate) fn forgotten(&mut self, coin: &str, kinds: &[String], event_time: i64) {
        for rule in Rule::subjects(kinds) {
            let key = (coin.to_owned(), rule.unwrap_or_default().to_owned());
            self.0
                .entry(key)
                .or_default()
                .take(&sighting_at(event_time));
        }
    }

    /// When an episode began; the first of its alerts that is not forgotten came at `begin`.
    pub(crate) fn begin_of(&self, coin: &str, subject: &str, begin: i64) -> i64 {
        let key = (coin.to_owned(), subject.to_owned());
        let mut follower = self.0.get(&key).copied().unwrap_or_default();
        follower.take(&sighting_at(begin));
        follower
            .current()
            .map_or(begin, |episode| episode.begin.min(begin))
    }
}

/// An alert as episodes see it: only the times decide what belongs together.
pub(crate) fn sighting_at(event_time: i64) -> Sighting {
    Sighting {
        event_time,
        price: 1.0,
        severity: Severity::Critical,
        moved: 0.0,
    }
}
