//! What the source counts: for a supervisor's progress line, and as metrics.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::SystemTime;

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

    pub(crate) fn count_error(&self, kind: ErrorKind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
        metrics::counter!("coingecko_source_errors_total", "kind" => kind.as_str()).increment(1);
    }

    pub(crate) fn count_poll(&self, unchanged: bool) {
        self.polls.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("coingecko_source_polls_total").increment(1);
        if unchanged {
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("coingecko_source_polls_unchanged_total").increment(1);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now_ms = now.map_or(0, |since| since.as_millis() as i64);
        self.last_success_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn count_records(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
        metrics::counter!("coingecko_source_records_total").increment(records as u64);
    }

    pub(crate) fn count_missed(&self, ticks: u64) {
        self.ticks_missed.fetch_add(ticks, Ordering::Relaxed);
        metrics::counter!("coingecko_source_ticks_missed_total").increment(ticks);
    }
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
