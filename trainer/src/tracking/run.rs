//! Runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How a run begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The experiment it belongs to.
    pub experiment: String,
    /// Its name, for people.
    pub name: String,
    /// When, in milliseconds since the epoch.
    pub started_ms: i64,
    /// What is known about it already.
    pub tags: BTreeMap<String, String>,
}

/// A run that was begun.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// Its id.
    pub id: String,
    /// Where its files go, in the tracking's own terms.
    pub(super) files: String,
    pub(super) beginning: Beginning,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Under way, or its process died.
    #[serde(alias = "scheduled")]
    Running,
    /// It gave what it was to give.
    Finished,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
    Killed,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Killed => "killed",
        })
    }
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Where people look at it in a browser, if anywhere.
    pub link: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// When it began, in milliseconds since the epoch.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// What was set.
    pub params: BTreeMap<String, String>,
    /// What was measured; of a series the last value.
    pub metrics: BTreeMap<String, f64>,
    /// What is known about it.
    pub tags: BTreeMap<String, String>,
}
