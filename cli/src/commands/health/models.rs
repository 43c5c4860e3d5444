//! The health of models: whether the MLflow server answers, and how far the market has drifted from what models in
//! production were trained on.

use std::path::Path;

use trainer::drift::PSI_NOTABLE;
use trainer::production::{DriftProblem, production_drift};
use trainer::tracking::MlflowServer;

use super::report::{DriftHealth, MlflowHealth};
use crate::models::open_tracking;

#[derive(Debug, Clone, Default)]
pub(crate) struct ModelsHealth {
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) mlflow: Option<MlflowHealth>,
    pub(crate) drift: Vec<DriftHealth>,
}

impl ModelsHealth {
    /// Checks the models stored with `data` against the lake at `lake_url`. Errors become problems.
    pub(crate) async fn check(data: &Path, lake_url: &str) -> Self {
        let mut health = Self::default();
        if let Err(error) = health.fill(data, lake_url).await {
            health.problems.push(format!("{error:#}"));
        }
        health
    }

    async fn fill(&mut self, data: &Path, lake_url: &str) -> anyhow::Result<()> {
        let tracking = open_tracking(data)?;
        let reachable = tracking.check().await;
        self.mlflow = MlflowServer::from_env()?.map(|server| MlflowHealth {
            server: server.to_string(),
            reachable: reachable.is_ok(),
        });
        reachable?;
        let (drifts, problems) = production_drift(tracking.as_ref(), lake_url).await;
        for problem in problems {
            match problem {
                DriftProblem::Tracking(problem) => self.problems.push(problem.to_string()),
                // The survey reports a broken lake as a problem; here it only leaves the drift unknown.
                other => self.warnings.push(format!("drift is unknown: {other}")),
            }
        }
        for drift in drifts {
            let drift = DriftHealth {
                model: drift.model,
                version: drift.version,
                scores: drift.scores,
                inputs: drift.inputs.into_iter().collect(),
            };
            self.warnings.extend(drift_warning(&drift));
            self.drift.push(drift);
        }
        Ok(())
    }
}

fn drift_warning(drift: &DriftHealth) -> Option<String> {
    let moved: Vec<_> = drift
        .parts()
        .filter(|(_, psi)| *psi > PSI_NOTABLE)
        .map(|(part, psi)| format!("{part} {psi:.2}"))
        .collect();
    if moved.is_empty() {
        return None;
    }
    Some(format!(
        "the market of the last day differs from the one that {}/{} was trained on (PSI above {PSI_NOTABLE}: {}): find out \
         why, or train again with `coinlake train run`",
        drift.model,
        drift.version,
        moved.join(", ")
    ))
}
