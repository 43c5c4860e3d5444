//! Files of a lake of the releases before tables: `LAKE/<layer>/date=…/<topic>-<partition>[-g<generation>]-<offset>.parquet`,
//! the offset in 20 digits, with a stamp in the footer.

use parquet::file::metadata::ParquetMetaData;
use serde_json::{Value, json};

use crate::table::{AppId, CommitStamp, STAMP_VERSION};

/// The key of the stamp in a footer.
const FOOTER_KEY: &str = "parquet-sink";
/// The newest format of those stamps.
const FOOTER_VERSION: u64 = 1;
/// The lineage columns, by the names that they have in tables.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("source_topic", "_topic"),
    ("source_partition", "_partition"),
    ("source_offset", "_offset"),
];

/// The name of a file. In one partition the order of names is that of rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FormerName {
    pub(super) topic: String,
    pub(super) partition: u32,
    pub(super) generation: u32,
    pub(super) offset: i64,
}

impl FormerName {
    /// Parses a path; `None` when it is not that of such a file.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next()?;
        let (rest, offset) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
        if offset.len() != 20 {
            return None;
        }
        let offset = offset.parse().ok()?;
        let (mut rest, mut last) = rest.rsplit_once('-')?;
        let mut generation = 0;
        if let Some(number) = last.strip_prefix('g') {
            generation = number.parse().ok()?;
            (rest, last) = rest.rsplit_once('-')?;
        }
        Some(Self {
            topic: rest.to_owned(),
            partition: last.parse().ok()?,
            generation,
            offset,
        })
    }
}

/// The stamp in a footer as one of a table's entry that `stage` made.
///
/// # Errors
/// A phrase, when there is none, or it is none.
pub(super) fn stamp(metadata: &ParquetMetaData, stage: &str) -> Result<CommitStamp, String> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let json = pairs
        .into_iter()
        .flatten()
        .find(|pair| pair.key == FOOTER_KEY)
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(|| format!("its footer has no `{FOOTER_KEY}`"))?;
    of_json(json, stage)
}

fn of_json(json: &str, stage: &str) -> Result<CommitStamp, String> {
    let unreadable = |error| format!("its `{FOOTER_KEY}` cannot be read: {error}");
    let mut stamp: Value = serde_json::from_str(json).map_err(unreadable)?;
    let version = stamp["version"].as_u64().unwrap_or(u64::MAX);
    if version > FOOTER_VERSION {
        return Err(format!(
            "its `{FOOTER_KEY}` has version {version}; this release imports up to {FOOTER_VERSION}"
        ));
    }
    let partition = stamp["partition"].as_u64();
    let app = AppId {
        stage: stage.to_owned(),
        topic: stamp["topic"].as_str().unwrap_or_default().to_owned(),
        partition: partition.and_then(|p| u32::try_from(p).ok()).unwrap_or(0),
    };
    stamp["app"] = json!(app);
    stamp["version"] = STAMP_VERSION.into();
    serde_json::from_value(stamp).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_before_are_told_from_others() {
        let name = FormerName::parse("raw/date=2025-06-01/a-7-g2-00000000000000000003.parquet");
        let name = name.unwrap();
        assert_eq!((name.topic.as_str(), name.partition), ("a", 7));
        assert_eq!((name.generation, name.offset), (2, 3));
        for other in [
            "raw/date=2025-06-01/crypto-raw-0-00000000000000000003-0123456789abcdef.parquet",
            "raw/date=2025-06-01/sorted-0123456789abcdef.parquet",
            "raw/_delta_log/00000000000000000100.checkpoint.parquet",
        ] {
            assert_eq!(FormerName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_stamp_goes_on_where_it_was() {
        let json = r#"{"version": 1, "writer": "w", "topic": "crypto-raw", "partition": 2, "partitions": 3,
            "first_offset": 4, "last_offset": 9, "resume_offset": 7, "record_hash": "abc", "modules": [],
            "schema_version": 1, "committed_at_ms": 5, "topic_ends": {"crypto-clean": 8}}"#;
        let stamp = of_json(json, "stage-clean").unwrap();
        assert_eq!(stamp.app.to_string(), "stage-clean/crypto-raw/2");
        assert_eq!((stamp.version, stamp.last_offset), (STAMP_VERSION, 9));
        assert_eq!(
            (stamp.resume_offset, stamp.topic_ends["crypto-clean"]),
            (7, 8)
        );
        let problem = of_json(r#"{"version": 2}"#, "s").unwrap_err();
        assert!(problem.contains("version 2"), "{problem}");
    }
}
