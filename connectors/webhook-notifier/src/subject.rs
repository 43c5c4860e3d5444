//! What people are told of at its own pace.

use std::time::Duration;

use market::{Rule, Rules, Sighting};

use crate::alert::Alert;
use crate::receiver::Receiver;

/// A coin's built-in kinds, or one rule about a coin. One holds back nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) coin: String,
    /// The rule's name; `None` for the built-in kinds.
    pub(crate) rule: Option<String>,
}

impl Subject {
    /// What an alert is about, at least one thing, each with the alert as severe as it is by that alone.
    pub(crate) fn all_of(alert: &Alert, rules: &Rules) -> Vec<(Self, Sighting)> {
        let subject = |rule: Option<&str>| {
            let subject = Self {
                coin: alert.coin.clone(),
                rule: rule.map(str::to_owned),
            };
            let sighting = Sighting {
                severity: alert.severity_of(rule, rules),
                ..alert.sighting
            };
            (subject, sighting)
        };
        Rule::subjects(&alert.kinds)
            .into_iter()
            .map(subject)
            .collect()
    }

    /// A receiver has at most one message of it in this time, unless it gets worse.
    pub(crate) fn window(&self, receiver: &Receiver) -> Duration {
        match &self.rule {
            Some(rule) => receiver.rules.repeat_of(rule),
            None => receiver.cooldown,
        }
    }
}
