//! Requests and replies of the REST API 2.0, which MLflow 2 and 3 have.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::tracking::run::{RunRecord, RunStatus};
use crate::tracking::settings::MlflowServer;

/// The body of an error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorReply {
    #[serde(default)]
    pub error_code: String,
    #[serde(default)]
    pub message: String,
}

/// An empty reply.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

#[derive(Debug, Deserialize)]
pub(super) struct ExperimentReply {
    pub experiment: Experiment,
}

#[derive(Debug, Deserialize)]
pub(super) struct Experiment {
    pub experiment_id: String,
    pub lifecycle_stage: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ExperimentId {
    pub experiment_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunReply {
    pub run: WireRun,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunsReply {
    #[serde(default)]
    pub runs: Vec<WireRun>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireRun {
    pub info: RunInfo,
    #[serde(default)]
    pub data: RunData,
}

#[derive(Debug, Deserialize)]
pub(super) struct RunInfo {
    pub run_id: String,
    pub experiment_id: String,
    #[serde(default)]
    pub run_name: String,
    pub status: WireStatus,
    #[serde(default)]
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub artifact_uri: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum WireStatus {
    #[serde(alias = "SCHEDULED")]
    Running,
    Finished,
    Failed,
    Killed,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RunData {
    #[serde(default)]
    pub metrics: Vec<WireMetric>,
    #[serde(default)]
    pub params: Vec<Pair>,
    #[serde(default)]
    pub tags: Vec<Pair>,
}

/// A param or a tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pair {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WireMetric {
    pub key: String,
    #[serde(deserialize_with = "number")]
    pub value: f64,
    #[serde(default)]
    pub timestamp: i64,
    #[serde(default)]
    pub step: i64,
}

/// One `log-batch`.
#[derive(Debug, Default, Serialize)]
pub(super) struct Batch {
    pub run_id: String,
    pub params: Vec<Pair>,
    pub metrics: Vec<WireMetric>,
    pub tags: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RegisteredModelReply {
    pub registered_model: RegisteredModel,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RegisteredModel {
    #[serde(default)]
    pub aliases: Vec<WireAlias>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireAlias {
    pub alias: String,
    pub version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelVersionReply {
    pub model_version: WireVersion,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModelVersionsReply {
    #[serde(default)]
    pub model_versions: Vec<WireVersion>,
    pub next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireVersion {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub creation_timestamp: i64,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub source: String,
    #[serde(default)]
    pub run_id: String,
}

/// MLflow writes numbers that JSON cannot write as strings.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Value(f64),
        Name(String),
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Value(value) => value,
        Number::Name(name) if name == "Infinity" => f64::INFINITY,
        Number::Name(name) if name == "-Infinity" => f64::NEG_INFINITY,
        Number::Name(_) => f64::NAN,
    })
}

impl From<RunStatus> for WireStatus {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Running => Self::Running,
            RunStatus::Finished => Self::Finished,
            RunStatus::Failed => Self::Failed,
            RunStatus::Killed => Self::Killed,
        }
    }
}

impl WireRun {
    /// The run, with a link to its page on `server`.
    pub(super) fn into_record(self, server: &MlflowServer) -> RunRecord {
        let Self { info, data } = self;
        let pairs = |pairs: Vec<Pair>| pairs.into_iter().map(|p| (p.key, p.value)).collect();
        RunRecord {
            link: Some(server.page_of_run(&info.experiment_id, &info.run_id)),
            id: info.run_id,
            name: info.run_name,
            status: match info.status {
                WireStatus::Running => RunStatus::Running,
                WireStatus::Finished => RunStatus::Finished,
                WireStatus::Failed => RunStatus::Failed,
                WireStatus::Killed => RunStatus::Killed,
            },
            started_ms: info.start_time,
            ended_ms: info.end_time,
            params: pairs(data.params),
            metrics: data.metrics.into_iter().map(|m| (m.key, m.value)).collect(),
            tags: pairs(data.tags),
        }
    }
}

/// Pairs as the API takes them.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> Vec<Pair> {
    map.iter()
        .map(|(key, value)| Pair {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_numbers_and_names() {
        let read = |json: &str| serde_json::from_str::<WireMetric>(json).unwrap().value;
        assert_eq!(read(r#"{"key": "a", "value": 0.25}"#), 0.25);
        assert!(read(r#"{"key": "a", "value": "NaN"}"#).is_nan());
        assert_eq!(
            read(r#"{"key": "a", "value": "-Infinity"}"#),
            f64::NEG_INFINITY
        );
    }
}
