//! The stamp of a commit: which input it covers, and where its writer resumes.
//!
//! Always true: each entry that a stage makes carries its [`CommitStamp`], in a `domainMetadata` action named by its
//! [`AppId`]. The stamp in the stage's main table is the stage's position; nothing else is.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The stamp's format version.
pub const STAMP_VERSION: u32 = 2;

/// Who writes to a table: a stage, for one partition of its input. Delta's `appId`.
///
/// ```
/// let app = lake::AppId { stage: "stage-clean".into(), topic: "crypto-raw".into(), partition: 2 };
/// assert_eq!(app.to_string(), "stage-clean/crypto-raw/2");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppId {
    /// The stage's name.
    pub stage: String,
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.stage, self.topic, self.partition)
    }
}

/// Where the rows of a commit come from and where its writer resumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStamp {
    /// The format version, [`STAMP_VERSION`] when written.
    pub version: u32,
    /// The id of the run that made the commit; every run has a new one.
    pub writer: String,
    /// Who made it.
    pub app: AppId,
    /// Number of partitions of the input topic.
    pub partitions: u32,
    /// How many times the input topic was recreated, counting only what the operator accepted.
    #[serde(default)]
    pub generation: u32,
    /// The first input this commit covers.
    pub first_offset: i64,
    /// The last input this commit covers.
    pub last_offset: i64,
    /// The first input that a restarted module must see to be in the state it had at `last_offset`.
    pub resume_offset: i64,
    /// For a derived topic: the greatest `source_offset` of the records up to `last_offset`.
    #[serde(default)]
    pub greatest_source: Option<i64>,
    /// SHA-256 of the input record at `last_offset`; empty when the record was gone already.
    pub record_hash: String,
    /// The SmartModules that made the rows, in order.
    pub modules: Vec<ModuleStamp>,
    /// When the commit was made, in milliseconds since the epoch.
    #[serde(default)]
    pub committed_at_ms: i64,
    /// By output topic: the offset where outputs of inputs after `last_offset` begin, or a lower one.
    #[serde(default)]
    pub topic_ends: BTreeMap<String, i64>,
}

/// A SmartModule at the time of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleStamp {
    /// Its name in the cluster.
    pub name: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// SHA-256 of its wasm.
    pub sha256: String,
}

impl CommitStamp {
    /// The stamp of a run that has committed nothing yet.
    pub fn new(app: AppId, writer: &str) -> Self {
        Self {
            version: STAMP_VERSION,
            writer: writer.to_owned(),
            app,
            partitions: 1,
            generation: 0,
            first_offset: 0,
            last_offset: -1,
            resume_offset: 0,
            greatest_source: None,
            record_hash: String::new(),
            modules: Vec::new(),
            committed_at_ms: 0,
            topic_ends: BTreeMap::new(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a stamp has only string keys")
    }

    /// Reads a stamp.
    ///
    /// # Errors
    /// A phrase, when its format is newer than [`STAMP_VERSION`] or it is no stamp.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let unreadable = |error| format!("the stamp of a commit cannot be read: {error}");
        let Version { version } = serde_json::from_str(json).map_err(unreadable)?;
        if version > STAMP_VERSION {
            return Err(format!(
                "a newer release wrote it (stamp version {version}; this one reads up to {STAMP_VERSION}): upgrade"
            ));
        }
        serde_json::from_str(json).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_version_is_refused() {
        let problem = CommitStamp::parse(r#"{"version": 3, "all": "different"}"#).unwrap_err();
        assert!(problem.contains("newer release"), "{problem}");
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_have_defaults() {
        let json = r#"{"version": 2, "writer": "w", "app": {"stage": "s", "topic": "t", "partition": 0}, "partitions": 1,
            "first_offset": 0, "last_offset": 9, "resume_offset": 10, "record_hash": "", "modules": [], "new": 1}"#;
        let stamp = CommitStamp::parse(json).unwrap();
        assert_eq!((stamp.last_offset, stamp.generation), (9, 0));
        assert!(stamp.topic_ends.is_empty());
        assert_eq!(CommitStamp::parse(&stamp.to_json()).unwrap(), stamp);
    }
}
