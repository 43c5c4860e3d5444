//! How telling of alerts goes: for probes, and for Prometheus.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connector_runtime::process::monitor::Observed;
use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// What became of an alert at a receiver, the label `outcome` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// Its severity is below what is told of.
    Mild,
    /// Its rules and kinds are not for this receiver.
    Muted,
    /// Its coin is muted for a while.
    CoinMuted,
    /// The coin's window runs.
    Suppressed,
    /// The receiver does not want it.
    Refused,
    /// It was too old when its turn came.
    Stale,
    /// It is no alert.
    Unreadable,
}

impl Outcome {
    const ALL: [Self; 8] = [
        Self::Delivered,
        Self::Mild,
        Self::Muted,
        Self::CoinMuted,
        Self::Suppressed,
        Self::Refused,
        Self::Stale,
        Self::Unreadable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Mild => "mild",
            Self::Muted => "muted",
            Self::CoinMuted => "coin_muted",
            Self::Suppressed => "suppressed",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The newest alerts whose outcome is remembered.
const REMEMBERED_MAX: usize = 2_000;

/// How an attempt ended, the label `result` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Ok,
    Failed,
    Refused,
}

impl Attempt {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// How telling one receiver goes.
#[derive(Debug)]
pub struct NotifyStatus {
    /// The label `receiver` of its metrics.
    receiver: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Alerts are being read.
    reading: bool,
    /// Why they are not.
    away: Option<String>,
    /// Why the receiver did not take the last message.
    undelivered: Option<String>,
    /// Alerts since the start that nobody was told of, as their coin had just had a message.
    suppressed: u64,
    /// Alerts since the start that nobody was told of, as their coin is muted.
    coin_muted: u64,
    /// What became of the newest alerts, by their ids; `None` while one is being delivered.
    outcomes: HashMap<String, Option<Outcome>>,
    /// The ids, oldest first.
    remembered: VecDeque<String>,
    /// Incremented when an outcome changes.
    changes: u64,
    ended: bool,
}

impl NotifyStatus {
    /// Nothing is read yet. The only receiver has no name.
    pub(crate) fn new(name: Option<&str>) -> Self {
        Self {
            receiver: name.unwrap_or("default").to_owned(),
            state: Mutex::default(),
        }
    }

    /// Every counter is there from the start, so that its first step shows as one.
    pub(crate) fn started(&self) {
        describe();
        for outcome in Outcome::ALL {
            self.alerts(outcome).increment(0);
        }
        for attempt in [Attempt::Ok, Attempt::Failed, Attempt::Refused] {
            self.attempts(attempt).increment(0);
        }
        // A histogram is there once somebody holds it.
        let _ = self.attempt_seconds();
        *self.state() = State::default();
    }

    fn alerts(&self, outcome: Outcome) -> Counter {
        counter!(
            "coinlake_notify_alerts_total",
            "outcome" => outcome.as_str(),
            "receiver" => self.receiver.clone()
        )
    }

    fn attempts(&self, attempt: Attempt) -> Counter {
        counter!(
            "coinlake_notify_attempts_total",
            "result" => attempt.as_str(),
            "receiver" => self.receiver.clone()
        )
    }

    fn attempt_seconds(&self) -> Histogram {
        histogram!("coinlake_notify_attempt_seconds", "receiver" => self.receiver.clone())
    }

    pub(crate) fn reading(&self) {
        let mut state = self.state();
        (state.reading, state.away) = (true, None);
    }

    pub(crate) fn away(&self, why: impl ToString) {
        let mut state = self.state();
        (state.reading, state.away) = (false, Some(why.to_string()));
    }

    pub(crate) fn ended(&self) {
        self.state().ended = true;
    }

    pub(crate) fn attempted(&self, attempt: Attempt, took: Duration, trouble: Option<String>) {
        self.attempts(attempt).increment(1);
        self.attempt_seconds().record(took);
        self.state().undelivered = trouble;
    }

    /// Remembers what becomes of an alert; `None`: it is being delivered.
    pub(crate) fn remember(&self, alert_id: &str, outcome: Option<Outcome>) {
        let mut state = self.state();
        state.changes += 1;
        if state
            .outcomes
            .insert(alert_id.to_owned(), outcome)
            .is_some()
        {
            return;
        }
        state.remembered.push_back(alert_id.to_owned());
        if state.remembered.len() > REMEMBERED_MAX
            && let Some(oldest) = state.remembered.pop_front()
        {
            state.outcomes.remove(&oldest);
        }
    }

    /// What became of an alert: `Some(None)` while it is being delivered, `None` where it was not its turn since the start, or too
    /// long ago.
    pub fn outcome(&self, alert_id: &str) -> Option<Option<Outcome>> {
        self.state().outcomes.get(alert_id).copied()
    }

    /// Greater whenever an outcome changes.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// The receiver's name; `default` for the only one.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.alerts(outcome).increment(1);
        match outcome {
            Outcome::Suppressed => self.state().suppressed += 1,
            Outcome::CoinMuted => self.state().coin_muted += 1,
            _ => {}
        }
        if outcome == Outcome::Delivered {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            gauge!(
                "coinlake_notify_last_delivery_timestamp_seconds",
                "receiver" => self.receiver.clone()
            )
            .set(now.as_secs_f64());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every critical section sets plain fields: there is no half-done state behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready: alerts are being read, and the receiver took the last message it was sent.
impl Observed for NotifyStatus {
    fn alive(&self) -> Result<(), String> {
        match self.state().ended {
            true => Err("it has ended".to_owned()),
            false => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.alive()?;
        let state = self.state();
        if let Some(why) = state.away.as_ref().or(state.undelivered.as_ref()) {
            return Err(why.clone());
        }
        match state.reading {
            true => Ok(()),
            false => Err("alerts are not being read yet".to_owned()),
        }
    }

    fn notes(&self) -> Vec<String> {
        let state = self.state();
        let note = |count: u64, why: &str| {
            let alerts = match count {
                0 => return None,
                1 => "1 alert was".to_owned(),
                more => format!("{more} alerts were"),
            };
            Some(format!(
                "{alerts} not sent since the start, as their coin {why}"
            ))
        };
        let held = note(state.suppressed, "had just had a message");
        let muted = note(state.coin_muted, "is muted");
        held.into_iter().chain(muted).collect()
    }
}

fn describe() {
    describe_counter!(
        "coinlake_notify_alerts_total",
        "Alerts by what became of them"
    );
    describe_counter!(
        "coinlake_notify_attempts_total",
        "Attempts to deliver a message"
    );
    describe_histogram!(
        "coinlake_notify_attempt_seconds",
        Unit::Seconds,
        "How long an attempt took"
    );
    describe_gauge!(
        "coinlake_notify_last_delivery_timestamp_seconds",
        Unit::Seconds,
        "When a message was last delivered"
    );
}
