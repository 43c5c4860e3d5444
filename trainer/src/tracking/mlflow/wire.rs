//! What is said to an MLflow server and what it answers: REST API 2.0, as MLflow 2 and 3 speak it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::run::{Metric, Run};
use crate::tracking::{MlflowServer, RunRecord, RunStatus};

/// The server takes no more in one `log-batch`.
const PARAMS_MAX: usize = 100;
const TAGS_MAX: usize = 100;
const METRICS_MAX: usize = 1_000;
const ENTITIES_MAX: usize = 1_000;
/// Less than the server's limit of a million bytes, for what JSON adds around names and values.
const BATCH_BYTES_MAX: usize = 700_000;
/// What JSON adds around one of them, at most: keys, quotes, a time and a step.
const ENTITY_BYTES: usize = 120;

/// How the server says no.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorReply {
    #[serde(default)]
    pub error_code: String,
    #[serde(default)]
    pub message: String,
}

/// An answer that says nothing.
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

/// MLflow writes what JSON has no number for as a string.
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
    /// The run as it is kept in `server`.
    pub fn into_record(self, server: &MlflowServer) -> RunRecord {
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

/// Everything of a run that is not a file, in as many requests as the server's limits ask for.
pub(super) fn batches(run_id: &str, at_ms: i64, given: &Run) -> Vec<Batch> {
    let mut batches = Batches::new(run_id);
    for pair in pairs(&given.params) {
        batches
            .room(pair.key.len() + pair.value.len(), |b| {
                b.params.len() < PARAMS_MAX
            })
            .params
            .push(pair);
    }
    for pair in pairs(&given.tags) {
        batches
            .room(pair.key.len() + pair.value.len(), |b| {
                b.tags.len() < TAGS_MAX
            })
            .tags
            .push(pair);
    }
    for metric in metrics(at_ms, &given.metrics) {
        batches
            .room(metric.key.len(), |b| b.metrics.len() < METRICS_MAX)
            .metrics
            .push(metric);
    }
    batches.full
}

/// Metrics as the API takes them. JSON has no word for what is not finite: nothing to say, so nothing is said.
fn metrics(at_ms: i64, metrics: &[Metric]) -> impl Iterator<Item = WireMetric> {
    let finite = metrics.iter().filter(|metric| metric.value.is_finite());
    finite.map(move |metric| WireMetric {
        key: metric.name.clone(),
        value: metric.value,
        timestamp: at_ms,
        step: metric.step,
    })
}

struct Batches<'a> {
    run_id: &'a str,
    full: Vec<Batch>,
    bytes: usize,
}

impl<'a> Batches<'a> {
    fn new(run_id: &'a str) -> Self {
        Self {
            run_id,
            full: Vec::new(),
            bytes: 0,
        }
    }

    /// The batch that the next of `bytes` goes into.
    fn room(&mut self, bytes: usize, has_room: impl Fn(&Batch) -> bool) -> &mut Batch {
        let bytes = bytes + ENTITY_BYTES;
        let fits = self.full.last().is_some_and(|batch| {
            let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
            has_room(batch) && entities < ENTITIES_MAX && self.bytes + bytes <= BATCH_BYTES_MAX
        });
        if !fits {
            self.full.push(Batch {
                run_id: self.run_id.to_owned(),
                ..Batch::default()
            });
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.full
            .last_mut()
            .expect("one was pushed when there was none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(params: usize, tags: usize, metrics: usize, value: &str) -> Run {
        let map = |n| {
            (0..n)
                .map(|i| (format!("k{i}"), value.to_owned()))
                .collect()
        };
        Run {
            params: map(params),
            tags: map(tags),
            metrics: (0..metrics)
                .map(|step| Metric {
                    name: "auc".to_owned(),
                    value: 0.5,
                    step: i64::try_from(step).unwrap(),
                })
                .collect(),
            ..Run::default()
        }
    }

    #[test]
    fn batches_keep_to_the_servers_limits_and_lose_nothing() {
        for given in [
            run(0, 0, 0, ""),
            run(1, 1, 1, "v"),
            run(250, 120, 2_500, "v"),
            run(300, 300, 10, &"é".repeat(3_000)),
        ] {
            let batches = batches("r", 7, &given);
            for batch in &batches {
                assert!(batch.params.len() <= 100 && batch.tags.len() <= 100);
                let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
                assert!((1..=1_000).contains(&entities), "{entities}");
                assert!(serde_json::to_vec(batch).unwrap().len() < 1_000_000);
            }
            let count = |of: fn(&Batch) -> usize| batches.iter().map(of).sum::<usize>();
            assert_eq!(count(|b| b.params.len()), given.params.len());
            assert_eq!(count(|b| b.tags.len()), given.tags.len());
            assert_eq!(count(|b| b.metrics.len()), given.metrics.len());
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_sent() {
        let mut given = run(0, 0, 1, "");
        given.metrics[0].value = f64::NAN;
        assert!(batches("r", 0, &given).is_empty());
    }

    #[test]
    fn numbers_come_as_numbers_or_as_names() {
        let read = |json: &str| serde_json::from_str::<WireMetric>(json).unwrap().value;
        assert_eq!(read(r#"{"key": "a", "value": 0.25}"#), 0.25);
        assert!(read(r#"{"key": "a", "value": "NaN"}"#).is_nan());
        assert_eq!(
            read(r#"{"key": "a", "value": "-Infinity"}"#),
            f64::NEG_INFINITY
        );
    }
}
