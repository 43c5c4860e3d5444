//! What the source counts: for a supervisor's progress line, and as metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::Observed;
use metrics::{Unit, counter, gauge, histogram};

/// A source without a reply for so many polls is not ready.
const POLLS_WITHOUT_REPLY_MAX: u32 = 3;
/// Polls that follow each other faster count as so far apart, for that.
const POLL_INTERVAL_MIN: Duration = Duration::from_secs(20);

/// Counters of a running source. Plain atomics: read them at any time.
#[derive(Debug, Default)]
pub struct SourceStatus {
    /// Polls that brought a reply, new or not.
    pub polls: AtomicU64,
    /// Replies that said nothing has changed.
    pub unchanged: AtomicU64,
    /// Ticks of the poll interval that passed while a poll was still running.
    pub ticks_missed: AtomicU64,
    /// Records acknowledged by the topic.
    pub records: AtomicU64,
    /// When the last poll succeeded, milliseconds since the epoch; 0 before the first.
    pub last_success_ms: AtomicI64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
    pub(crate) cluster_health: ClusterHealth,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    poll_interval: Duration,
    last_reply: Option<Instant>,
    /// Partitions that take no records, and why.
    waiting: BTreeMap<u32, String>,
    /// How it ended.
    ended: Option<String>,
}

/// What a poll brought, the label `result` of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollResult {
    New,
    Unchanged,
    Failed,
}

impl PollResult {
    const ALL: [Self; 3] = [Self::New, Self::Unchanged, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

impl SourceStatus {
    /// How often this kind of trouble was met.
    pub fn errors(&self, kind: ErrorKind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    /// Trouble of all kinds.
    pub fn errors_total(&self) -> u64 {
        ErrorKind::ALL.iter().map(|&kind| self.errors(kind)).sum()
    }

    /// The source starts. Every counter is there from now on, so that its first step shows as one.
    pub(crate) fn started(&self, poll_interval: Duration) {
        describe();
        gauge!("coingecko_source_poll_interval_seconds").set(poll_interval.as_secs_f64());
        for result in PollResult::ALL {
            counter!("coingecko_source_polls_total", "result" => result.as_str()).increment(0);
        }
        for result in ["page", "unchanged", ErrorKind::RateLimited.as_str()] {
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
        let mut state = self.state();
        state.poll_interval = poll_interval;
        state.ended = None;
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
        if result == PollResult::Failed {
            return;
        }
        self.polls.fetch_add(1, Ordering::Relaxed);
        if result == PollResult::Unchanged {
            self.unchanged.fetch_add(1, Ordering::Relaxed);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default();
        self.last_success_ms
            .store(now.as_millis() as i64, Ordering::Relaxed);
        gauge!("coingecko_source_last_poll_timestamp_seconds").set(now.as_secs_f64());
        self.state().last_reply = Some(Instant::now());
    }

    pub(crate) fn count_records(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        counter!("coingecko_source_records_total").increment(records as u64);
    }

    pub(crate) fn count_missed(&self, ticks: u64) {
        self.ticks_missed.fetch_add(ticks, Ordering::Relaxed);
        counter!("coingecko_source_ticks_missed_total").increment(ticks);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every critical section sets one field: there is no half-done state behind a poisoned lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready: the cluster answers, the topic takes what was fetched, and one of the last three polls brought a reply.
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
        let state = self.state();
        if let Some(trouble) = state.waiting.values().next() {
            return Err(trouble.clone());
        }
        let patience = state.poll_interval.max(POLL_INTERVAL_MIN) * POLLS_WITHOUT_REPLY_MAX;
        match state.last_reply.map(|at| at.elapsed()) {
            None => Err("no poll has brought a reply yet".to_owned()),
            Some(age) if age > patience => Err(format!(
                "no poll has brought a reply for {} s",
                age.as_secs()
            )),
            Some(_) => Ok(()),
        }
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("coingecko_source_polls_total", "Polls by what they brought");
    describe_counter!(
        "coingecko_source_replies_total",
        "Calls by their reply; rate_limited is a 429"
    );
    describe_counter!("coingecko_source_errors_total", "Trouble by its kind");
    describe_counter!(
        "coingecko_source_retries_total",
        "Calls that were made again"
    );
    describe_counter!(
        "coingecko_source_records_total",
        "Coins acknowledged by the topic"
    );
    describe_counter!(
        "coingecko_source_ticks_missed_total",
        "Ticks of the poll interval that passed during a poll"
    );
    describe_gauge!(
        "coingecko_source_poll_interval_seconds",
        Unit::Seconds,
        "From one poll to the next, as configured"
    );
    describe_gauge!(
        "coingecko_source_last_poll_timestamp_seconds",
        Unit::Seconds,
        "When a poll last brought a reply"
    );
    describe_histogram!(
        "coingecko_source_reply_seconds",
        Unit::Seconds,
        "From a call to its reply"
    );
    describe_histogram!(
        "coingecko_source_rate_limit_wait_seconds",
        Unit::Seconds,
        "Calls that waited for the plan's limit, and how long"
    );
}

/// The kinds of trouble, the label `kind` of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or one that broke.
    Connection,
    /// No complete reply in time.
    Timeout,
    /// 429: too many calls.
    RateLimited,
    /// 5xx.
    ServerError,
    /// 401, 403, or a key of another plan.
    Unauthorized,
    /// Any other status that isn't success.
    ClientError,
    /// Sent elsewhere, which is not followed.
    Redirected,
    /// Something other than JSON, such as an HTML page.
    ContentType,
    /// More bytes than `body_bytes_max`, or a coin too large for a record.
    TooLarge,
    /// JSON that is cut short or broken, or not a list.
    Malformed,
    /// A list element that isn't an object. It is sent all the same, for crypto-clean to reject and keep.
    NotAnObject,
    /// The topic could not be written to.
    Append,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Connection,
        Self::Timeout,
        Self::RateLimited,
        Self::ServerError,
        Self::Unauthorized,
        Self::ClientError,
        Self::Redirected,
        Self::ContentType,
        Self::TooLarge,
        Self::Malformed,
        Self::NotAnObject,
        Self::Append,
    ];

    /// The metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::Unauthorized => "unauthorized",
            Self::ClientError => "client_error",
            Self::Redirected => "redirected",
            Self::ContentType => "content_type",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::NotAnObject => "not_an_object",
            Self::Append => "append",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
