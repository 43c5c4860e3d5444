//! How telling of alerts goes: for probes, and for Prometheus.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connector_runtime::process::monitor::Observed;
use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// What became of an alert, the label `outcome` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver took it.
    Delivered,
    /// Its severity is below what is told of.
    Mild,
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
    const ALL: [Self; 6] = [
        Self::Delivered,
        Self::Mild,
        Self::Suppressed,
        Self::Refused,
        Self::Stale,
        Self::Unreadable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Mild => "mild",
            Self::Suppressed => "suppressed",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How an attempt ended, the label `result` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
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

    pub(crate) fn count(&self, outcome: Outcome) {
        self.alerts(outcome).increment(1);
        if outcome == Outcome::Suppressed {
            self.state().suppressed += 1;
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
        let alerts = match self.state().suppressed {
            0 => return Vec::new(),
            1 => "1 alert was".to_owned(),
            more => format!("{more} alerts were"),
        };
        let note =
            format!("{alerts} not sent since the start, as their coin had just had a message");
        vec![note]
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
