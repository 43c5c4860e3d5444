//! The actions of Delta's log. One line of an entry is one action: an object with one field, which names the action.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One line of an entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Action {
    CommitInfo(CommitInfo),
    Protocol(Protocol),
    MetaData(MetaData),
    Add(Add),
    Remove(Remove),
    Txn(Txn),
    DomainMetadata(DomainMetadata),
}

/// Who made an entry and why; readers ignore it, and checkpoints drop it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommitInfo {
    /// When it was made, in milliseconds since the epoch.
    #[serde(default)]
    pub(crate) timestamp: i64,
    /// `WRITE`, `OPTIMIZE`, …
    #[serde(default)]
    pub(crate) operation: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) operation_metrics: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(crate) engine_info: String,
    /// The entry's own id: whoever finds its number taken learns from it whether the entry is its own.
    #[serde(default)]
    pub(crate) txn_id: String,
}

impl CommitInfo {
    /// Of an entry that is made now, with an id that no other has.
    pub(crate) fn new(operation: &str, at_ms: i64) -> Self {
        Self {
            timestamp: at_ms,
            operation: operation.to_owned(),
            engine_info: concat!("coinlake/", env!("CARGO_PKG_VERSION")).to_owned(),
            txn_id: format!("{:032x}", rand::random::<u128>()),
            ..Self::default()
        }
    }
}

/// What a reader and a writer must be able to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: i32,
    pub(crate) min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) writer_features: Option<Vec<String>>,
}

/// The table's schema and properties.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetaData {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) format: Format,
    /// The schema as JSON.
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_time: Option<i64>,
}

/// How data files are encoded: always Parquet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            provider: "parquet".to_owned(),
            options: BTreeMap::new(),
        }
    }
}

/// A data file that counts from this entry on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    /// Relative to the table, percent-encoded.
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) size: i64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    /// Statistics as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeMap<String, Option<String>>>,
}

/// A data file that no longer counts. The file stays until vacuum takes it, for readers of older snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_timestamp: Option<i64>,
    pub(crate) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<i64>,
}

/// How far an application got: an application's newest one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_updated: Option<i64>,
}

/// A named text that the table carries: a domain's newest one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DomainMetadata {
    pub(crate) domain: String,
    pub(crate) configuration: String,
    pub(crate) removed: bool,
}

/// An entry's own id.
pub(crate) fn id(actions: &[Action]) -> Option<&str> {
    actions.iter().find_map(|action| match action {
        Action::CommitInfo(info) => Some(info.txn_id.as_str()),
        _ => None,
    })
}

/// The actions as the lines of an entry.
pub(crate) fn to_lines(actions: &[Action]) -> Vec<u8> {
    let mut lines = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut lines, action).expect("an action has only string keys");
        lines.push(b'\n');
    }
    lines
}

/// The actions of an entry's lines. Kinds of actions that this crate does not know are left out: a table that needs them
/// says so in its protocol.
pub(crate) fn of_lines(lines: &[u8]) -> Result<Vec<Action>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        commit_info: Option<CommitInfo>,
        protocol: Option<Protocol>,
        meta_data: Option<MetaData>,
        add: Option<Add>,
        remove: Option<Remove>,
        txn: Option<Txn>,
        domain_metadata: Option<DomainMetadata>,
    }
    let mut actions = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(line)?;
        actions.extend(line.commit_info.map(Action::CommitInfo));
        actions.extend(line.protocol.map(Action::Protocol));
        actions.extend(line.meta_data.map(Action::MetaData));
        actions.extend(line.add.map(Action::Add));
        actions.extend(line.remove.map(Action::Remove));
        actions.extend(line.txn.map(Action::Txn));
        actions.extend(line.domain_metadata.map(Action::DomainMetadata));
    }
    Ok(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_protocol() {
        let add = Add {
            path: "date=2025-06-01/a.parquet".to_owned(),
            partition_values: BTreeMap::from([("date".to_owned(), Some("2025-06-01".to_owned()))]),
            size: 7,
            modification_time: 9,
            data_change: true,
            ..Add::default()
        };
        let txn = Txn {
            app_id: "stage/topic/0".to_owned(),
            version: 41,
            last_updated: None,
        };
        let actions = [Action::Add(add), Action::Txn(txn)];
        let lines = to_lines(&actions);
        let expected = concat!(
            r#"{"add":{"path":"date=2025-06-01/a.parquet","partitionValues":{"date":"2025-06-01"},"size":7,"#,
            r#""modificationTime":9,"dataChange":true}}"#,
            "\n",
            r#"{"txn":{"appId":"stage/topic/0","version":41}}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(lines.clone()).unwrap(), expected);
        assert_eq!(of_lines(&lines).unwrap(), actions);
    }

    #[test]
    fn what_others_write_beside_is_left_out() {
        let lines = br#"{"cdc":{"path":"x"}}
{"commitInfo":{"timestamp":5,"operation":"OPTIMIZE","operationParameters":{"predicate":"[]","auto":false},"isolationLevel":"x"}}
"#;
        let actions = of_lines(lines).unwrap();
        let [Action::CommitInfo(info)] = actions.as_slice() else {
            panic!("{actions:?}");
        };
        assert_eq!((info.timestamp, info.txn_id.as_str()), (5, ""));
        assert!(of_lines(b"{").is_err());
    }
}
