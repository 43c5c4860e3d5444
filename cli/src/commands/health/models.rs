//! The health of models: whether the MLflow server answers, and how far the market has drifted from what models in
//! production were trained on.

use std::path::Path;

use lake::LakeUrl;
use trainer::production::{DriftProblem, ModelDrift, production_drift, recorded_drift};
use trainer::tracking::{MlflowServer, TrackingError};

use super::report::MlflowHealth;
use crate::models::{DEFAULT_EXPERIMENT, open_tracking};

/// What a report says about models.
#[derive(Debug, Clone, Default)]
pub(crate) struct ModelsHealth {
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) mlflow: Option<MlflowHealth>,
    pub(crate) drift: Vec<ModelDrift>,
}

impl ModelsHealth {
    /// Checks the models stored with `data` against the lake at `lake_url`; for one in an object store, by what the newest training
    /// recorded. Errors become problems.
    pub(crate) async fn check(data: &Path, lake_url: &str) -> Self {
        let mut health = Self::default();
        if let Err(error) = health.fill(data, lake_url).await {
            health.problems.push(format!("{error:#}"));
        }
        health
    }

    async fn fill(&mut self, data: &Path, lake_url: &str) -> anyhow::Result<()> {
        let tracking = open_tracking(data)?;
        let checked = tracking.check().await;
        let unreachable = matches!(checked, Err(TrackingError::Unreachable { .. }));
        self.mlflow = MlflowServer::from_env()?.map(|server| MlflowHealth {
            server: server.to_string(),
            reachable: !unreachable,
        });
        checked?;
        let is_near = LakeUrl::parse(lake_url).is_ok_and(|url| url.folder().is_some());
        let (drifts, problems) = match is_near {
            true => production_drift(tracking.as_ref(), lake_url).await,
            // A day of rows takes hundreds of requests to an object store: what the newest training found is as good.
            false => match recorded_drift(tracking.as_ref(), DEFAULT_EXPERIMENT).await {
                Ok(drifts) => (drifts, Vec::new()),
                Err(problem) => (Vec::new(), vec![problem.into()]),
            },
        };
        for problem in problems {
            match problem {
                DriftProblem::Tracking(problem) => self.problems.push(problem.to_string()),
                // The survey reports a broken lake as a problem. Neither it nor a broken reference keeps a model from serving.
                DriftProblem::Data(_) | DriftProblem::Reference(..) => {
                    self.warnings.push(format!("drift is unknown: {problem}"));
                }
            }
        }
        for drift in drifts {
            self.warnings.extend(drift.warning());
            self.drift.push(drift);
        }
        Ok(())
    }
}
