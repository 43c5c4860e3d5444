//! What the source counts: for a supervisor's progress line, and as metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use connector_runtime::clock::Clock;
use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::Observed;
use metrics::{counter, gauge, histogram};
use tokio::time::Instant;

use crate::clock_check::{self, seconds_ahead};
use crate::coin_times::CoinTimes;
pub use crate::error_kind::ErrorKind;
use crate::meanings::describe;

/// A source without a reply for so many polls is not ready.
const POLLS_WITHOUT_REPLY_MAX: u32 = 3;
/// Polls that follow each other faster count as so far apart, for that.
const POLL_INTERVAL_MIN: Duration = Duration::from_secs(20);
/// A source whose replies bring nothing new for so many polls, and so long, is not ready: caches are 261 s old at most.
const POLLS_NOTHING_NEW_MAX: u32 = 3;
pub(crate) const NOTHING_NEW_MAX: Duration = Duration::from_secs(600);

/// What a source that fills in the past says of itself begins with this.
pub const BACKFILLING: &str = "backfilling";

/// Counters of a running source. Plain atomics: read them at any time.
#[derive(Debug, Default)]
pub struct SourceStatus {
    /// Polls that brought a reply, new or not.
    pub polls: AtomicU64,
    /// Polls that brought nothing new, as caches make it.
    pub unchanged: AtomicU64,
    /// Replies in which no coin was newer than before, though ten minutes had passed or the data was that much older.
    pub frozen: AtomicU64,
    /// Replies without a coin.
    pub empty: AtomicU64,
    /// Calls of this calendar month (UTC), as far as they were counted.
    pub calls_this_month: AtomicU64,
    /// Ticks of the poll interval that passed while a poll was still running.
    pub ticks_missed: AtomicU64,
    /// Records acknowledged by the topic.
    pub records: AtomicU64,
    /// When the last poll succeeded, milliseconds since the epoch; 0 before the first.
    pub last_success_ms: AtomicI64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
    pub(crate) cluster_health: ClusterHealth,
    clock: Clock,
    state: Mutex<State>,
    pub(crate) coin_times: CoinTimes,
}

#[derive(Debug, Default)]
struct State {
    poll_interval: Duration,
    last_reply: Option<Instant>,
    /// When a reply last brought something new; before the first, when the source started.
    last_new: Option<Instant>,
    /// Replies since then.
    polls_nothing_new: u32,
    /// Whether the last of them had no coin.
    empty: bool,
    /// Coins whose past has come, and all of those whose past is filled in now.
    backfilling: Option<(usize, usize)>,
    /// Why no call is made.
    out_of_calls: Option<String>,
    /// By how many seconds this machine's clock is ahead, if it was last found to be wrong.
    clock_wrong_by: Option<f64>,
    /// Nothing new is expected any more.
    market_ended: bool,
    /// Why polls are further apart than configured.
    spread: Option<String>,
    /// Partitions that take no records, and why.
    waiting: BTreeMap<u32, String>,
    /// Calls by their reply.
    replies: BTreeMap<&'static str, u64>,
    /// How many calls a month has.
    calls_per_month: Option<u64>,
    /// How it ended.
    ended: Option<String>,
}

/// What a poll brought, the label `result` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollResult {
    /// Some coin is newer than before.
    New,
    /// None is, which caches make of an ordinary poll.
    Unchanged,
    /// None is, and no cache explains it.
    Frozen,
    /// There is no coin.
    Empty,
    /// No page came.
    Failed,
}

impl PollResult {
    const ALL: [Self; 5] = [
        Self::New,
        Self::Unchanged,
        Self::Frozen,
        Self::Empty,
        Self::Failed,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Frozen => "frozen",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }
}

impl SourceStatus {
    /// The status of a source that goes by this clock. The default is this machine's.
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// The time it goes by.
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How often this kind of trouble was met.
    pub fn errors(&self, kind: ErrorKind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    /// Trouble of all kinds.
    pub fn errors_total(&self) -> u64 {
        ErrorKind::ALL.iter().map(|&kind| self.errors(kind)).sum()
    }

    /// The source starts. Every counter is there from now on, so that its first step shows as one.
    pub(crate) fn started(&self) {
        describe();
        for result in PollResult::ALL {
            counter!("coingecko_source_polls_total", "result" => result.as_str()).increment(0);
        }
        for result in [
            "page",
            "chart",
            "unchanged",
            ErrorKind::RateLimited.as_str(),
        ] {
            counter!("coingecko_source_replies_total", "result" => result).increment(0);
        }
        for kind in ErrorKind::ALL {
            counter!("coingecko_source_errors_total", "kind" => kind.as_str()).increment(0);
        }
        // A histogram is there once somebody holds it.
        let _ = histogram!("coingecko_source_reply_seconds");
        let _ = histogram!("coingecko_source_rate_limit_wait_seconds");
        counter!("coingecko_source_retries_total").increment(0);
        counter!("coingecko_source_records_total").increment(0);
        counter!("coingecko_source_ticks_missed_total").increment(0);
        gauge!("coingecko_source_backfilling").set(0.0);
        gauge!("coingecko_source_last_new_timestamp_seconds").set(self.seconds_now());
        let mut state = self.state();
        state.last_new = Some(self.clock.instant());
        state.ended = None;
    }

    /// From one poll to the next, from now on.
    pub(crate) fn polls_every(&self, interval: Duration) {
        gauge!("coingecko_source_poll_interval_seconds").set(interval.as_secs_f64());
        self.state().poll_interval = interval;
    }

    /// What is polled is a replay that has come to its end: that nothing new comes is no trouble, and no poll is late.
    pub fn market_ended(&self) {
        gauge!("coingecko_source_poll_interval_seconds").set(f64::INFINITY);
        self.state().market_ended = true;
    }

    /// The past of so many coins has come, of so many in all; none: nothing is filled in any more.
    pub(crate) fn set_backfilling(&self, coins: Option<(usize, usize)>) {
        let mut state = self.state();
        state.backfilling = coins;
        if coins.is_some() {
            gauge!("coingecko_source_backfilling").set(1.0);
        } else if let Some(last_reply) = &mut state.last_reply {
            // No poll was made meanwhile. The metric stays until the next one, as times of polls are old until then.
            *last_reply = self.clock.instant();
        }
    }

    /// Of how many coins the past has come, and of how many it is filled in; none most of the time.
    pub fn backfilling(&self) -> Option<(usize, usize)> {
        self.state().backfilling
    }

    /// The month has no calls left, for this reason, or has some again.
    pub(crate) fn out_of_calls(&self, why: Option<String>) {
        self.state().out_of_calls = why;
    }

    /// Polls are further apart than configured, for this reason, or as configured; reported when that changes.
    pub(crate) fn spread(&self, why: Option<String>) {
        let before = std::mem::replace(&mut self.state().spread, why.clone());
        match (before, why) {
            (None, Some(why)) => tracing::warn!("{why}"),
            (Some(_), None) => tracing::info!("polls are as far apart as configured again"),
            _ => {}
        }
    }

    /// Whether what is polled is a replay that has come to its end.
    pub fn market_has_ended(&self) -> bool {
        self.state().market_ended
    }

    /// From one poll to the next.
    pub fn poll_interval(&self) -> Duration {
        self.state().poll_interval
    }

    /// How often each kind of reply came: `page`, `chart`, `unchanged` or a kind of trouble.
    pub fn replies(&self) -> BTreeMap<&'static str, u64> {
        self.state().replies.clone()
    }

    /// How many calls a month has, as far as the plan is known; `None` is no limit.
    pub fn calls_per_month(&self) -> Option<u64> {
        self.state().calls_per_month
    }

    /// A call is made, the last of so many in this month, which has so many.
    pub(crate) fn count_call(&self, this_month: u64, per_month: Option<u64>) {
        self.state().calls_per_month = per_month;
        self.calls_this_month.store(this_month, Ordering::Relaxed);
        gauge!("coingecko_source_calls_this_month").set(this_month as f64);
    }

    /// What a reply's `date` and `age` headers say about this machine's clock; reported once when it is wrong.
    pub(crate) fn server_date(&self, now: SystemTime, date: &str, age: Option<&str>) {
        let Some(ahead) = seconds_ahead(now, date, age) else {
            return;
        };
        gauge!("coingecko_source_clock_ahead_seconds").set(ahead);
        let wrong = clock_check::problem(ahead);
        let wrong_by = wrong.as_ref().map(|_| ahead);
        let was_wrong = std::mem::replace(&mut self.state().clock_wrong_by, wrong_by).is_some();
        match wrong {
            Some(what) if !was_wrong => tracing::warn!("{what}"),
            None if was_wrong => {
                tracing::info!("this machine's clock agrees with the server's again");
            }
            _ => {}
        }
    }

    /// The newest `last_updated` of all coins so far, milliseconds since the epoch.
    pub(crate) fn newest(&self, newest_ms: i64) {
        gauge!("coingecko_source_newest_update_timestamp_seconds").set(newest_ms as f64 / 1e3);
    }

    /// How many polls, and how long, brought nothing new.
    pub(crate) fn nothing_new(&self) -> (u32, Duration) {
        let (state, now) = (self.state(), self.clock.instant());
        let without = state
            .last_new
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        (state.polls_nothing_new, without)
    }

    /// Why it is not ready although replies come: they have brought nothing new for too long.
    pub(crate) fn stuck(&self) -> Option<String> {
        let (polls, without) = self.nothing_new();
        if polls < POLLS_NOTHING_NEW_MAX || without < NOTHING_NEW_MAX || self.state().market_ended {
            return None;
        }
        let clock_wrong_by = self.state().clock_wrong_by;
        if let Some(wrong_by) = clock_wrong_by
            && wrong_by < -clock_check::DAY_SECS
        {
            // Whatever comes looks as if it came from the future.
            return clock_check::problem(wrong_by);
        }
        let (minutes, empty) = (without.as_secs() / 60, self.state().empty);
        Some(match empty {
            true => format!(
                "CoinGecko's lists are empty, and have brought nothing for {minutes} min ({polls} polls): check \
                 coingecko.ids and coingecko.category"
            ),
            false => format!(
                "CoinGecko's replies are frozen: none has brought anything new for {minutes} min ({polls} polls)"
            ),
        })
    }

    pub(crate) fn ended(&self, result: &anyhow::Result<()>) {
        self.state().ended = Some(match result {
            Ok(()) => "it was stopped".to_owned(),
            Err(error) => format!("{error:#}"),
        });
    }

    /// A partition takes no records for this reason, or takes them again.
    pub(crate) fn appending(&self, partition: u32, trouble: Option<String>) {
        match trouble {
            Some(trouble) => self.state().waiting.insert(partition, trouble),
            None => self.state().waiting.remove(&partition),
        };
    }

    pub(crate) fn count_error(&self, kind: ErrorKind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
        counter!("coingecko_source_errors_total", "kind" => kind.as_str()).increment(1);
    }

    /// A call was answered, or was not: `page`, `unchanged` or an [`ErrorKind`].
    pub(crate) fn count_reply(&self, result: &'static str, took: Duration) {
        counter!("coingecko_source_replies_total", "result" => result).increment(1);
        histogram!("coingecko_source_reply_seconds").record(took);
        *self.state().replies.entry(result).or_default() += 1;
    }

    pub(crate) fn count_retry(&self) {
        counter!("coingecko_source_retries_total").increment(1);
    }

    /// The plan's calls per minute make a call wait.
    pub(crate) fn count_rate_limit_wait(&self, wait: Duration) {
        if !wait.is_zero() {
            histogram!("coingecko_source_rate_limit_wait_seconds").record(wait);
        }
    }

    pub(crate) fn count_poll(&self, result: PollResult) {
        counter!("coingecko_source_polls_total", "result" => result.as_str()).increment(1);
        gauge!("coingecko_source_backfilling").set(0.0);
        if result == PollResult::Failed {
            return;
        }
        self.polls.fetch_add(1, Ordering::Relaxed);
        match result {
            PollResult::Unchanged => self.unchanged.fetch_add(1, Ordering::Relaxed),
            PollResult::Frozen => self.frozen.fetch_add(1, Ordering::Relaxed),
            PollResult::Empty => self.empty.fetch_add(1, Ordering::Relaxed),
            PollResult::New | PollResult::Failed => 0,
        };
        self.last_success_ms
            .store(self.clock.now_ms(), Ordering::Relaxed);
        let now = self.seconds_now();
        gauge!("coingecko_source_last_poll_timestamp_seconds").set(now);
        let instant = self.clock.instant();
        let mut state = self.state();
        state.last_reply = Some(instant);
        state.empty = result == PollResult::Empty;
        if result == PollResult::New {
            gauge!("coingecko_source_last_new_timestamp_seconds").set(now);
            state.last_new = Some(instant);
            state.polls_nothing_new = 0;
        } else {
            state.polls_nothing_new += 1;
        }
    }

    pub(crate) fn count_records(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        counter!("coingecko_source_records_total").increment(records as u64);
    }

    pub(crate) fn count_missed(&self, ticks: u64) {
        self.ticks_missed.fetch_add(ticks, Ordering::Relaxed);
        counter!("coingecko_source_ticks_missed_total").increment(ticks);
    }

    /// Whether it can poll, and its topic takes what comes.
    fn works(&self) -> Result<(), String> {
        let state = self.state();
        let waiting = state.waiting.values().next();
        if let Some(trouble) = waiting.or(state.out_of_calls.as_ref()) {
            return Err(trouble.clone());
        }
        match state.backfilling {
            Some((done, coins)) => Err(format!("{BACKFILLING} {done} of {coins} coins")),
            None => Ok(()),
        }
    }

    /// Whether one of the last polls brought a reply.
    fn replied_in_time(&self) -> Result<(), String> {
        let state = self.state();
        let Some(last_reply) = state.last_reply else {
            return Err("no poll has brought a reply yet".to_owned());
        };
        let patience = state.poll_interval.max(POLL_INTERVAL_MIN) * POLLS_WITHOUT_REPLY_MAX;
        let age = self.clock.instant().saturating_duration_since(last_reply);
        match age > patience {
            true => Err(format!(
                "no poll has brought a reply for {} s",
                age.as_secs()
            )),
            false => Ok(()),
        }
    }

    fn seconds_now(&self) -> f64 {
        self.clock.now_ms() as f64 / 1e3
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every critical section sets one field: there is no half-done state behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready: the cluster answers, the topic takes what was fetched, one of the last three polls brought a reply, and something
/// new came within the last three polls or ten minutes.
impl Observed for SourceStatus {
    fn alive(&self) -> Result<(), String> {
        match &self.state().ended {
            Some(how) => Err(how.clone()),
            None => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.alive()?;
        self.cluster_health.check()?;
        self.works()?;
        self.replied_in_time()?;
        self.stuck().map_or(Ok(()), Err)
    }

    fn notes(&self) -> Vec<String> {
        let (wrong_by, spread) = {
            let state = self.state();
            (state.clock_wrong_by, state.spread.clone())
        };
        let clock = wrong_by.and_then(clock_check::problem);
        clock.into_iter().chain(spread).collect()
    }

    fn metrics(&self) -> String {
        self.coin_times.metrics()
    }
}

#[cfg(test)]
mod tests;
