//! The stamp in a file's footer: which commit wrote the file, and where its writer resumes.
//!
//! Always true: every data file carries a [`FileStamp`]. The stamp of the newest file of a stage's main layer is the
//! stage's position; nothing else is.

use std::collections::BTreeMap;

use parquet::file::metadata::{KeyValue, ParquetMetaData};
use serde::{Deserialize, Serialize};

/// The key of the stamp in a Parquet file's metadata.
pub const FOOTER_KEY: &str = "parquet-sink";
/// The stamp's format version.
pub const STAMP_VERSION: u32 = 1;

/// Where a file's rows come from and where its writer resumes; JSON in the footer.
///
/// One commit writes one stamp into the files of several layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// The format version, [`STAMP_VERSION`] when written.
    pub version: u32,
    /// The id of the run that wrote the file; every run has a new one.
    pub writer: String,
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
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
    /// The configured schema version of the layer.
    pub schema_version: u32,
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

impl FileStamp {
    /// The stamp as a key and value for a Parquet footer.
    pub fn to_metadata(&self) -> KeyValue {
        let json = serde_json::to_string(self).expect("a stamp has only string keys");
        KeyValue::new(FOOTER_KEY.to_owned(), json)
    }

    /// Reads the stamp from a Parquet footer.
    ///
    /// # Errors
    /// A phrase, when there is none or its format is newer than [`STAMP_VERSION`].
    pub fn from_metadata(metadata: &ParquetMetaData) -> Result<Self, String> {
        let pairs = metadata.file_metadata().key_value_metadata();
        let json = pairs
            .into_iter()
            .flatten()
            .find(|pair| pair.key == FOOTER_KEY)
            .and_then(|pair| pair.value.as_deref())
            .ok_or_else(|| format!("its footer has no `{FOOTER_KEY}`"))?;
        Self::parse(json)
    }

    fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let unreadable = |error| format!("its `{FOOTER_KEY}` cannot be read: {error}");
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
        let problem = FileStamp::parse(r#"{"version": 2, "all": "different"}"#).unwrap_err();
        assert!(problem.contains("newer release"), "{problem}");
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_have_defaults() {
        let json = r#"{"version": 1, "writer": "w", "topic": "t", "partition": 0, "partitions": 1, "first_offset": 0,
            "last_offset": 9, "resume_offset": 10, "record_hash": "", "modules": [], "schema_version": 1, "new": 1}"#;
        let stamp = FileStamp::parse(json).unwrap();
        assert_eq!((stamp.last_offset, stamp.generation), (9, 0));
        assert!(stamp.topic_ends.is_empty());
    }
}
