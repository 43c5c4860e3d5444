//! The models in production, and how far the lake has drifted from the rows they were trained on.

use std::collections::BTreeMap;
use std::time::Duration;

use market::model::slot::MODEL_BYTES_MAX;
use market::model::{Inputs, ModelError, ModelPair};
use serde::Serialize;

use crate::data::{DataError, Label, open_lake, read_last};
use crate::drift::{self, DriftError, PSI_NOTABLE, Reference};
use crate::model::Model;
use crate::promotion::Current;
use crate::run::Metric;
use crate::tracking::{Alias, ModelVersion, RunStatus, Tracking, TrackingError};

const DAY: Duration = Duration::from_hours(24);
/// Names the scores, beside the names of the inputs.
const SCORES: &str = "scores";
/// A finished run is looked for among this many.
const RECENT_RUNS: usize = 10;

/// A model in production.
#[derive(Debug)]
pub struct InProduction {
    /// Its version.
    pub version: ModelVersion,
    /// The model. Its info has the version and the run.
    pub model: Model,
}

/// The production model of a label, if there is one.
///
/// # Errors
/// When the tracking fails, the alias points at a deleted version, or the model file is unusable.
pub async fn in_production(
    tracking: &dyn Tracking,
    label: Label,
) -> Result<Option<InProduction>, TrackingError> {
    match tracking
        .version_at(label.as_str(), Alias::Production)
        .await?
    {
        Some(version) => model_of(tracking, label, version).await.map(Some),
        None => Ok(None),
    }
}

/// The model of a version.
///
/// # Errors
/// When the tracking fails, or the model file is unusable.
pub async fn model_of(
    tracking: &dyn Tracking,
    label: Label,
    version: ModelVersion,
) -> Result<InProduction, TrackingError> {
    let unservable = |reason: String| TrackingError::Unservable {
        model: version.model.clone(),
        version: version.version,
        place: tracking.place(),
        reason,
    };
    let file = tracking.model(&version).await?;
    let model = match file.len() > MODEL_BYTES_MAX {
        true => Err(ModelError::TooLarge {
            bytes: file.len(),
            room: MODEL_BYTES_MAX,
        }),
        false => Model::from_bytes(label, &file),
    };
    let never_serves =
        |error: &ModelError| error.is_outdated() || matches!(error, ModelError::TooLarge { .. });
    let mut model = model.map_err(|error| match never_serves(&error) {
        true => TrackingError::Outdated {
            model: version.model.clone(),
            version: version.version,
            place: tracking.place(),
            reason: error.to_string(),
        },
        false => unservable(error.to_string()),
    })?;
    // The file was written before it was registered: it has neither version nor run.
    let info = model.info_mut();
    if info.name != label.as_str() {
        return Err(unservable(format!("its file is one of {}", info.name)));
    }
    info.version = version.version;
    info.run.clone_from(&version.run);
    Ok(InProduction { version, model })
}

/// What a new version of a label's model is compared with.
pub async fn current(tracking: &dyn Tracking, label: Label) -> Current {
    match in_production(tracking, label).await {
        Ok(Some(InProduction { version, model })) => Current::Model {
            version: version.version,
            model: Box::new(model),
        },
        Ok(None) => Current::Nothing,
        Err(TrackingError::Outdated { version, .. }) => Current::Outdated { version },
        Err(error) => Current::Unknown {
            reason: error.to_string(),
        },
    }
}

/// The models to serve, and the errors of those that could not be loaded, by label. A missing model does not mean that the one served
/// now should stop serving.
pub async fn production_pair(tracking: &dyn Tracking) -> (ModelPair, Vec<(Label, TrackingError)>) {
    let mut pair = ModelPair::default();
    let mut problems = Vec::new();
    for label in Label::ALL {
        match in_production(tracking, label).await {
            Ok(Some(found)) => match found.model {
                Model::Forest(forest) => pair.anomaly = Some(forest),
                Model::Logistic(logistic) => pair.trend = Some(logistic),
            },
            Ok(None) => {}
            Err(problem) => problems.push((label, problem)),
        }
    }
    (pair, problems)
}

/// The drift of the lake's last day from the rows a production model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelDrift {
    /// The registered model.
    pub model: String,
    /// Its version.
    pub version: u32,
    /// The population stability index of the model's scores; `None` if its run stored none.
    pub scores: Option<f64>,
    /// The index of each input.
    pub inputs: BTreeMap<String, f64>,
}

impl ModelDrift {
    /// The indices of the scores, under the name `scores`, and of every input.
    pub fn parts(&self) -> impl Iterator<Item = (&str, f64)> {
        let scores = self.scores.map(|psi| (SCORES, psi));
        let inputs = self.inputs.iter();
        scores
            .into_iter()
            .chain(inputs.map(|(input, &psi)| (input.as_str(), psi)))
    }

    /// As metrics of the run that measured it, with the version that it is of.
    pub fn metrics(&self) -> impl Iterator<Item = Metric> {
        let prefix = metric_prefix(&self.model);
        let parts = self.parts();
        let parts = parts.map(move |(what, psi)| (format!("{prefix}{what}"), psi));
        let version = (version_metric(&self.model), f64::from(self.version));
        parts.chain([version]).map(|(name, value)| Metric {
            name,
            value,
            step: 0,
        })
    }

    /// What to say of it; `None` where nothing has drifted far.
    pub fn warning(&self) -> Option<String> {
        let moved = self.parts().filter(|(_, psi)| *psi >= PSI_NOTABLE);
        let moved: Vec<_> = moved
            .map(|(part, psi)| format!("{part} {psi:.2}"))
            .collect();
        if moved.is_empty() {
            return None;
        }
        Some(format!(
            "the market of the last day differs from the one that {}/{} was trained on (PSI of {PSI_NOTABLE} or more: {}): find \
             out why, or train again with `coinlake train run`",
            self.model,
            self.version,
            moved.join(", ")
        ))
    }

    /// The input that has drifted farthest, and its index.
    pub fn farthest(&self) -> Option<(&str, f64)> {
        let farthest = self.inputs.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
        Some((farthest.0, *farthest.1))
    }
}

fn metric_prefix(model: &str) -> String {
    format!("{model}/production_drift/")
}

/// The metric that says which version's drift a run measured.
fn version_metric(model: &str) -> String {
    format!("{model}/production_version")
}

/// The drift that the newest training of an experiment found in the lake's last day, of the versions that were in production then and
/// still are.
///
/// # Errors
/// When the tracking fails.
pub async fn recorded_drift(
    tracking: &dyn Tracking,
    experiment: &str,
) -> Result<Vec<ModelDrift>, TrackingError> {
    let runs = tracking.runs(experiment, RECENT_RUNS).await?;
    let newest = runs
        .into_iter()
        .find(|run| run.status == RunStatus::Finished);
    let mut drifts = Vec::new();
    let Some(newest) = newest else {
        return Ok(drifts);
    };
    for label in Label::ALL {
        let production = tracking
            .version_at(label.as_str(), Alias::Production)
            .await?;
        let measured = newest.metrics.get(&version_metric(label.as_str()));
        let is_measured = |found: &ModelVersion| measured == Some(&f64::from(found.version));
        let Some(version) = production.filter(is_measured) else {
            continue;
        };
        let prefix = metric_prefix(&version.model);
        let metrics = newest.metrics.iter();
        let parts = metrics.filter_map(|(name, psi)| Some((name.strip_prefix(&prefix)?, *psi)));
        let (scores, inputs): (Vec<_>, Vec<_>) = parts.partition(|(what, _)| *what == SCORES);
        if !inputs.is_empty() {
            drifts.push(ModelDrift {
                inputs: inputs
                    .into_iter()
                    .map(|(input, psi)| (input.to_owned(), psi))
                    .collect(),
                scores: scores.first().map(|(_, psi)| *psi),
                model: version.model,
                version: version.version,
            });
        }
    }
    Ok(drifts)
}

/// Why drift could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum DriftProblem {
    /// The tracking failed.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// The lake could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The reference of this model's run could not be read.
    #[error("{0}: {1}")]
    Reference(Label, #[source] DriftError),
}

/// The drift of every production model over the last day of a lake, and the problems that prevented others.
pub async fn production_drift(
    tracking: &dyn Tracking,
    lake: &str,
) -> (Vec<ModelDrift>, Vec<DriftProblem>) {
    let (mut drifts, mut problems) = (Vec::new(), Vec::new());
    // Read once, and only if a model is in production.
    let mut rows = None;
    for label in Label::ALL {
        let found = match in_production(tracking, label).await {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem.into());
                continue;
            }
        };
        let last_day = match &rows {
            Some(last_day) => last_day,
            None => match last_day(lake).await {
                Ok(last_day) => rows.insert(last_day),
                Err(problem) => {
                    problems.push(problem.into());
                    break;
                }
            },
        };
        match drift_of(tracking, label, &found, last_day).await {
            Ok(drift) => drifts.push(drift),
            Err(problem) => problems.push(problem),
        }
    }
    (drifts, problems)
}

async fn drift_of(
    tracking: &dyn Tracking,
    label: Label,
    found: &InProduction,
    rows: &[Inputs],
) -> Result<ModelDrift, DriftProblem> {
    let InProduction { version, model } = found;
    let file = tracking.file(&version.run, drift::REFERENCE_PATH).await;
    let file = file.map_err(|error| match error {
        TrackingError::MissingFile { run, .. } => {
            DriftProblem::Reference(label, DriftError::Missing { run })
        }
        error => error.into(),
    })?;
    let reference = Reference::from_json(&file);
    let reference = reference.map_err(|error| DriftProblem::Reference(label, error))?;
    let scores = model.probabilities(rows);
    let moved = reference.inputs_psi(rows).into_iter();
    Ok(ModelDrift {
        model: version.model.clone(),
        version: version.version,
        inputs: moved.map(|(input, psi)| (input.to_owned(), psi)).collect(),
        scores: reference.scores_psi(&version.model, &scores),
    })
}

/// The models' inputs of the lake's last 24 hours.
async fn last_day(lake: &str) -> Result<Vec<Inputs>, DataError> {
    let lake = open_lake(lake)?;
    let rows = read_last(&lake, DAY).await?;
    Ok(rows.as_slice().iter().map(|row| row.inputs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_drifted_far_is_named() {
        let inputs = [("return_5m", 0.249), ("volatility_5m", 0.3)];
        let mut drift = ModelDrift {
            model: "trend_up".to_owned(),
            version: 3,
            scores: Some(0.25),
            inputs: inputs.map(|(input, psi)| (input.to_owned(), psi)).into(),
        };
        let warning = drift.warning().unwrap();
        let begin = "the market of the last day differs from the one that trend_up/3 was trained on (PSI of 0.25 or more: \
                     scores 0.25, volatility_5m 0.30)";
        assert!(warning.starts_with(begin), "{warning}");
        drift.scores = None;
        drift.inputs.remove("volatility_5m");
        assert_eq!(drift.warning(), None);
    }
}
