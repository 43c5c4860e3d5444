//! Where the data comes from, and what the source says of itself.

use std::collections::BTreeMap;

use serde::Serialize;

/// Where a platform's data comes from.
#[derive(Debug, Clone, Serialize)]
pub struct Market {
    /// Whether it is the market of now.
    pub kind: MarketKind,
    /// What it is, for people.
    pub name: String,
    /// How many times as fast as it was it is replayed; `None` where it is not, as fast as possible, or where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// What its prices are in; `None` where only the lake can say.
    #[serde(skip)]
    pub currency: Option<String>,
}

/// What kind of market it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketKind {
    /// The market of now.
    Live,
    /// An invented one.
    Demo,
    /// A recording.
    Replay,
}

/// What a source says of itself.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceReport {
    /// When the last reply came, in milliseconds since the epoch.
    pub last_reply_ms: Option<i64>,
    /// From one poll to the next.
    pub poll_seconds: f64,
    /// Calls by their reply.
    pub replies: BTreeMap<&'static str, u64>,
    /// Calls of this calendar month.
    pub calls_this_month: u64,
    /// How many the plan has; `None` is no limit.
    pub calls_per_month: Option<u64>,
    /// Of how many coins the past has been filled in, and of how many it is being filled in.
    pub backfilling: Option<(usize, usize)>,
    /// Why no new data comes; `None` while it does.
    pub problem: Option<String>,
    /// Whether a replay has come to its end.
    pub ended: bool,
}

/// Asks the source for its report.
pub type SourceReports = Box<dyn Fn() -> SourceReport + Send + Sync>;
