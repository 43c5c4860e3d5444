//! Runs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A run that is about to start.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The experiment it belongs to.
    pub experiment: String,
    /// Its name, for people.
    pub name: String,
    /// Time of the start, in milliseconds since the epoch.
    pub started_ms: i64,
    /// Tags known at the start.
    pub tags: BTreeMap<String, String>,
}

/// A run that was started.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// Its id.
    pub id: String,
    /// The place of its files, as the tracking names it.
    pub(super) files: String,
    pub(super) beginning: Beginning,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// In progress, or its process died.
    #[serde(alias = "scheduled")]
    Running,
    /// It is complete.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was interrupted.
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

/// A stored run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Its page in a browser, if it has one.
    pub link: Option<String>,
    /// Its status.
    pub status: RunStatus,
    /// Time of the start, in milliseconds since the epoch.
    pub started_ms: i64,
    /// Time of the end, in milliseconds since the epoch.
    pub ended_ms: Option<i64>,
    /// The settings.
    pub params: BTreeMap<String, String>,
    /// The measurements; the last value of a series.
    pub metrics: BTreeMap<String, f64>,
    /// Facts about it.
    pub tags: BTreeMap<String, String>,
}
