//! `run.json`: the params, metrics and tags of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::format::{FORMAT, Formatted};
use crate::run::{Metric, Run};
use crate::tracking::run::{Beginning, RunRecord, RunStatus};

/// `run.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RunFile {
    format: u32,
    pub experiment: String,
    pub name: String,
    pub status: RunStatus,
    pub started_ms: i64,
    pub ended_ms: i64,
    pub params: BTreeMap<String, String>,
    pub metrics: Vec<Metric>,
    pub tags: BTreeMap<String, String>,
    /// The metrics that promotion uses, by model.
    pub models: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Formatted for RunFile {
    fn format(&self) -> u32 {
        self.format
    }
}

impl RunFile {
    pub(super) fn new(
        beginning: &Beginning,
        ended_ms: i64,
        status: RunStatus,
        results: &Run,
    ) -> Self {
        let mut tags = beginning.tags.clone();
        tags.extend(results.tags.clone());
        let finite = results
            .metrics
            .iter()
            .filter(|metric| metric.value.is_finite());
        let models = results.models.iter();
        Self {
            format: FORMAT,
            experiment: beginning.experiment.clone(),
            name: beginning.name.clone(),
            status,
            started_ms: beginning.started_ms,
            ended_ms,
            params: results.params.clone(),
            metrics: finite.cloned().collect(),
            tags,
            models: models
                .map(|m| (m.name.clone(), m.metrics.clone()))
                .collect(),
        }
    }

    pub(super) fn into_record(self, id: &str) -> RunRecord {
        let mut last = BTreeMap::<String, &Metric>::new();
        for metric in &self.metrics {
            let known = last.entry(metric.name.clone()).or_insert(metric);
            if metric.step >= known.step {
                *known = metric;
            }
        }
        RunRecord {
            id: id.to_owned(),
            name: self.name,
            link: None,
            status: self.status,
            started_ms: self.started_ms,
            ended_ms: Some(self.ended_ms),
            params: self.params,
            metrics: last
                .into_iter()
                .map(|(name, metric)| (name, metric.value))
                .collect(),
            tags: self.tags,
        }
    }
}
