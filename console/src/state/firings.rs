//! When the user's alert rules last fired.

use std::collections::BTreeMap;

use market::Rule;
use serde::Serialize;

/// When a rule fired, and on which coin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Firing {
    pub event_time: i64,
    pub coin: String,
}

/// By a rule's name, when it last fired.
#[derive(Debug, Default)]
pub(crate) struct Firings(pub BTreeMap<String, Firing>);

impl Firings {
    /// Takes in an alert of these kinds; those that are no rules don't count.
    pub(crate) fn take(&mut self, kinds: &[String], firing: &Firing) {
        for name in kinds.iter().filter_map(|kind| Rule::name_of_kind(kind)) {
            self.fired(name, firing);
        }
    }

    /// Takes in others.
    pub(crate) fn merge(&mut self, others: &Self) {
        for (name, firing) in &others.0 {
            self.fired(name, firing);
        }
    }

    fn fired(&mut self, name: &str, firing: &Firing) {
        match self.0.get_mut(name) {
            Some(newest) if newest.event_time >= firing.event_time => {}
            Some(newest) => *newest = firing.clone(),
            None => {
                self.0.insert(name.to_owned(), firing.clone());
            }
        }
    }
}
