//! What the Models page shows: runs, versions, aliases and drift, as the tracking has them.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use trainer::data::Label;
use trainer::drift::PSI_NOTABLE;
use trainer::production::{ModelDrift, production_drift};
use trainer::tracking::{ModelVersion, RunRecord, Tracking, TrackingError};

use crate::answer::{ApiError, not_found};

const RUNS_MAX: usize = 50;
const PICTURES: [&str; 5] = [
    "roc",
    "precision_recall",
    "calibration",
    "confusion",
    "importance",
];
/// The drift takes a day of the lake to compute, and changes slowly.
const DRIFT_AGE_MAX: Duration = Duration::from_secs(600);

/// Where runs and model versions are kept.
pub struct ModelsConfig {
    /// The registry.
    pub tracking: Box<dyn Tracking>,
    /// Where people find it in a browser, if there.
    pub link: Option<String>,
    /// The experiment that runs belong to.
    pub experiment: String,
    /// The lake that the drift is computed from, as a folder or URL.
    pub lake: String,
}

/// The tracking, asked on behalf of the page.
pub(crate) struct Models {
    config: ModelsConfig,
    drift: Mutex<Option<(Instant, Arc<DriftShown>)>>,
}

/// All of the page but the drift, which takes longer.
#[derive(Serialize)]
pub(crate) struct Shown {
    place: String,
    link: Option<String>,
    models: Vec<ModelShown>,
    /// The newest first.
    runs: Vec<RunRecord>,
    pictures: [&'static str; 5],
}

#[derive(Serialize)]
struct ModelShown {
    name: &'static str,
    /// The newest first.
    versions: Vec<ModelVersion>,
}

/// How far the last day of the lake is from what the models in production know.
#[derive(Serialize)]
pub(crate) struct DriftShown {
    models: Vec<DriftOfModel>,
    problems: Vec<String>,
    /// From here on a distribution has moved, by custom.
    notable: f64,
}

#[derive(Serialize)]
struct DriftOfModel {
    model: String,
    version: u32,
    scores: Option<f64>,
    /// The greatest first.
    inputs: Vec<(String, f64)>,
}

impl From<ModelDrift> for DriftOfModel {
    fn from(drift: ModelDrift) -> Self {
        let mut inputs = drift.inputs;
        inputs.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self {
            model: drift.model,
            version: drift.version,
            scores: drift.scores,
            inputs,
        }
    }
}

impl Models {
    pub fn new(config: ModelsConfig) -> Self {
        Self {
            config,
            drift: Mutex::new(None),
        }
    }

    /// Runs and versions.
    pub async fn show(&self) -> Result<Shown, ApiError> {
        let tracking = &self.config.tracking;
        let mut models = Vec::new();
        for label in Label::ALL {
            models.push(ModelShown {
                name: label.as_str(),
                versions: tracking.versions(label.as_str()).await?,
            });
        }
        let runs = match tracking.runs(&self.config.experiment, RUNS_MAX).await {
            // A server knows the experiment from its first run on.
            Err(TrackingError::UnknownExperiment { .. }) => Vec::new(),
            runs => runs?,
        };
        Ok(Shown {
            place: tracking.place(),
            link: self.config.link.clone(),
            models,
            runs,
            pictures: PICTURES,
        })
    }

    /// The drift, computed once in ten minutes however many ask.
    pub async fn drift(&self) -> Arc<DriftShown> {
        let mut known = self.drift.lock().await;
        if let Some((at, drift)) = &*known
            && at.elapsed() < DRIFT_AGE_MAX
        {
            return Arc::clone(drift);
        }
        let (models, problems) =
            production_drift(self.config.tracking.as_ref(), &self.config.lake).await;
        let drift = Arc::new(DriftShown {
            models: models.into_iter().map(Into::into).collect(),
            problems: problems.iter().map(ToString::to_string).collect(),
            notable: PSI_NOTABLE,
        });
        *known = Some((Instant::now(), Arc::clone(&drift)));
        drift
    }

    /// A picture of a model, by its run.
    pub async fn picture(&self, run: &str, model: &str, name: &str) -> Result<Response, ApiError> {
        // Only what a training draws, whatever the address says.
        let known_model = Label::ALL.iter().any(|label| label.as_str() == model);
        let plain_id =
            !run.is_empty() && run.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !known_model || !plain_id || !PICTURES.contains(&name) {
            return Err(not_found("there is no such picture"));
        }
        let path = format!("pictures/{model}/{name}.svg");
        let picture = self.config.tracking.file(run, &path).await?;
        Ok(([(CONTENT_TYPE, "image/svg+xml")], picture).into_response())
    }
}

impl From<TrackingError> for ApiError {
    fn from(error: TrackingError) -> Self {
        Self::upstream(error)
    }
}
