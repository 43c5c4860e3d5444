//! Runs, model versions, aliases and drift, from the model registry.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior};
use trainer::data::Label;
use trainer::production::{ModelDrift, production_drift};
use trainer::tracking::{Alias, ModelVersion, RunRecord, Tracking, TrackingError};

use crate::meters;

const RUNS_MAX: usize = 50;
/// The pictures that a training run draws of each model.
pub(crate) const PICTURES: [&str; 5] = [
    "roc",
    "precision_recall",
    "calibration",
    "confusion",
    "importance",
];
/// Computing drift reads a day of the lake, and drift changes slowly.
const DRIFT_AGE_MAX: Duration = Duration::from_mins(10);
const THRESHOLD_AGE_MAX: Duration = Duration::from_mins(1);
/// A chart waits no longer for a registry.
const THRESHOLD_PATIENCE: Duration = Duration::from_secs(1);
/// How often Prometheus gets it anew.
const DRIFT_INTERVAL: Duration = Duration::from_hours(1);

/// Where the console finds runs and model versions.
pub struct ModelsConfig {
    /// The registry.
    pub tracking: Box<dyn Tracking>,
    /// The registry's own web page, if it has one.
    pub link: Option<String>,
    /// The experiment whose runs are shown.
    pub experiment: String,
    /// The lake to compute drift from, as a folder or URL.
    pub lake: String,
    /// The command that trains models of it.
    pub training: String,
}

/// Asks the registry, and caches drift.
pub(crate) struct Models {
    config: ModelsConfig,
    drift: Mutex<Option<(Instant, Arc<Drift>)>>,
    threshold: Mutex<Option<(Instant, Option<f64>)>>,
}

/// The Models page without drift, which takes longer.
#[derive(Serialize)]
pub(crate) struct Overview {
    place: String,
    link: Option<String>,
    training: String,
    models: Vec<ModelVersions>,
    /// Newest first.
    runs: Vec<RunRecord>,
    pictures: [&'static str; 5],
}

#[derive(Serialize)]
struct ModelVersions {
    name: &'static str,
    /// Newest first.
    versions: Vec<ModelVersion>,
}

/// How far the lake's last day is from the training data of the models in production.
#[derive(Serialize)]
pub(crate) struct Drift {
    models: Vec<ModelsDrift>,
    problems: Vec<String>,
}

/// A model's drift, and what there is to say of it.
#[derive(Serialize)]
struct ModelsDrift {
    #[serde(flatten)]
    drift: ModelDrift,
    warning: Option<String>,
}

impl From<ModelDrift> for ModelsDrift {
    fn from(drift: ModelDrift) -> Self {
        Self {
            warning: drift.warning(),
            drift,
        }
    }
}

impl Models {
    pub(crate) fn new(config: ModelsConfig) -> Self {
        Self {
            config,
            drift: Mutex::new(None),
            threshold: Mutex::new(None),
        }
    }

    /// The newest runs, and every version of every model.
    pub(crate) async fn overview(&self) -> Result<Overview, TrackingError> {
        let tracking = &self.config.tracking;
        let mut models = Vec::new();
        for label in Label::ALL {
            models.push(ModelVersions {
                name: label.as_str(),
                versions: tracking.versions(label.as_str()).await?,
            });
        }
        let runs = tracking.runs(&self.config.experiment, RUNS_MAX).await?;
        Ok(Overview {
            place: tracking.place(),
            link: self.config.link.clone(),
            training: self.config.training.clone(),
            models,
            runs,
            pictures: PICTURES,
        })
    }

    /// One run.
    pub(crate) async fn run(&self, id: &str) -> Result<RunRecord, TrackingError> {
        self.config.tracking.run(id).await
    }

    /// From which probability on the model in production foresees an anomaly; `None` where the registry does not say in time.
    pub(crate) async fn anomaly_threshold(&self) -> Option<f64> {
        let mut known = self.threshold.lock().await;
        if let Some((at, threshold)) = *known
            && at.elapsed() < THRESHOLD_AGE_MAX
        {
            return threshold;
        }
        let asked = tokio::time::timeout(THRESHOLD_PATIENCE, self.ask_threshold()).await;
        let threshold = match asked {
            Ok(Ok(threshold)) => threshold,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the chart marks no anomaly that was foreseen");
                None
            }
            Err(_) => None,
        };
        *known = Some((Instant::now(), threshold));
        threshold
    }

    async fn ask_threshold(&self) -> Result<Option<f64>, TrackingError> {
        let tracking = &self.config.tracking;
        let label = Label::AnomalyAhead.as_str();
        let Some(version) = tracking.version_at(label, Alias::Production).await? else {
            return Ok(None);
        };
        let run = tracking.run(&version.run).await?;
        Ok(run.metrics.get(&format!("{label}/threshold")).copied())
    }

    /// The drift of the models in production, computed every ten minutes at most.
    pub(crate) async fn drift(&self) -> Arc<Drift> {
        let mut known = self.drift.lock().await;
        if let Some((at, drift)) = &*known
            && at.elapsed() < DRIFT_AGE_MAX
        {
            return Arc::clone(drift);
        }
        let (models, problems) =
            production_drift(self.config.tracking.as_ref(), &self.config.lake).await;
        let drift = Arc::new(Drift {
            models: models.into_iter().map(ModelsDrift::from).collect(),
            problems: problems.iter().map(ToString::to_string).collect(),
        });
        // Without a model in production it was cheap, and there may be one soon.
        if !drift.models.is_empty() {
            *known = Some((Instant::now(), Arc::clone(&drift)));
        }
        drift
    }

    /// Reports the drift to Prometheus, again and again.
    pub(crate) async fn report_drift(&self) {
        let mut interval = tokio::time::interval(DRIFT_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let drift = self.drift().await;
            for problem in &drift.problems {
                tracing::warn!(
                    "the drift of a model is not known, its metric stays as it was: {problem}"
                );
            }
            for ModelsDrift { drift: model, .. } in &drift.models {
                for (part, psi) in model.parts() {
                    meters::drift(&model.model, part).set(psi);
                }
            }
        }
    }

    /// A picture of a model as SVG, drawn by `run`.
    pub(crate) async fn picture(
        &self,
        run: &str,
        model: &str,
        name: &str,
    ) -> Result<Bytes, TrackingError> {
        let path = format!("pictures/{model}/{name}.svg");
        self.config.tracking.file(run, &path).await
    }
}
