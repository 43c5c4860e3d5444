//! What a file's footer says about the commit it belongs to.
//!
//! Always true: every file this connector writes carries a [`FileStamp`]. That of the newest file of the main layer is
//! the stage's position; nothing else is.

use std::collections::BTreeMap;

use parquet::file::metadata::{KeyValue, ParquetMetaData};
use serde::{Deserialize, Serialize};

/// The key of the stamp in a Parquet file's metadata.
pub const FOOTER_KEY: &str = "parquet-sink";
/// Of the stamp's own format.
pub const STAMP_VERSION: u32 = 1;

/// A file's stamp, JSON in the footer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Of this format.
    pub version: u32,
    /// Which run wrote it: an id made at the start of each.
    pub writer: String,
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
    /// How many partitions the input topic had.
    pub partitions: u32,
    /// How often the topic was made anew, as far as the operator accepted it.
    #[serde(default)]
    pub generation: u32,
    /// The first input this commit covers.
    pub first_offset: i64,
    /// The last input this commit covers.
    pub last_offset: i64,
    /// Where a fresh module must begin to be, at `last_offset`, in the state it was in.
    pub resume_offset: i64,
    /// Of a derived topic: the greatest input that records up to `last_offset` were made from.
    #[serde(default)]
    pub greatest_source: Option<i64>,
    /// SHA-256 of the input record at `last_offset`.
    pub record_hash: String,
    /// The SmartModules the outputs came from, in order.
    pub modules: Vec<ModuleStamp>,
    /// Of the layer this file belongs to.
    pub schema_version: u32,
    /// When the commit was made, milliseconds since the epoch.
    #[serde(default)]
    pub committed_at_ms: i64,
    /// Where in each output topic outputs after `last_offset` begin, or a little before.
    #[serde(default)]
    pub topic_ends: BTreeMap<String, i64>,
}

/// A SmartModule as it was.
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
    /// As metadata of a Parquet file.
    pub fn to_metadata(&self) -> KeyValue {
        let json = serde_json::to_string(self).expect("a stamp has only string keys");
        KeyValue::new(FOOTER_KEY.to_owned(), json)
    }

    /// Reads the stamp.
    ///
    /// # Errors
    /// A phrase, when there is none or it is of a later version.
    pub fn read(metadata: &ParquetMetaData) -> Result<Self, String> {
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
        let unreadable = |e| format!("its `{FOOTER_KEY}` cannot be read: {e}");
        let Version { version } = serde_json::from_str(json).map_err(unreadable)?;
        if version > STAMP_VERSION {
            return Err(format!(
                "a newer parquet-sink wrote it (stamp version {version}, this one knows {STAMP_VERSION}); use that one"
            ));
        }
        serde_json::from_str(json).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_not_guessed_at() {
        let problem = FileStamp::parse(r#"{"version": 2, "all": "different"}"#).unwrap_err();
        assert!(problem.contains("newer parquet-sink"), "{problem}");
    }

    #[test]
    fn fields_added_later_are_ignored() {
        let json = r#"{"version": 1, "writer": "w", "topic": "t", "partition": 0, "partitions": 1, "first_offset": 0,
            "last_offset": 9, "resume_offset": 10, "record_hash": "", "modules": [], "schema_version": 1, "new": 1}"#;
        let stamp = FileStamp::parse(json).unwrap();
        assert_eq!((stamp.last_offset, stamp.generation), (9, 0));
        assert!(stamp.topic_ends.is_empty());
    }
}
