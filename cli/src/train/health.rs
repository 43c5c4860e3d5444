//! What `coinlake health` says of models: whether their server answers, and how far the lake has moved away from them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use trainer::drift::PSI_NOTABLE;
use trainer::production::{DriftProblem, production_drift};
use trainer::tracking::MlflowServer;

use super::open_tracking;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct ModelsHealth {
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
    pub mlflow: Option<MlflowHealth>,
    pub drift: Vec<DriftHealth>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MlflowHealth {
    server: String,
    reachable: bool,
}

/// Population stability indices of the lake's last day against what a model in production was made with.
#[derive(Debug, Clone, Serialize)]
pub struct DriftHealth {
    model: String,
    version: u32,
    scores: Option<f64>,
    inputs: BTreeMap<String, f64>,
}

impl ModelsHealth {
    pub async fn look(data: &Path, lake: &str) -> Self {
        let mut health = Self::default();
        if let Err(problem) = health.look_at(data, lake).await {
            health.problems.push(format!("{problem:#}"));
        }
        health
    }

    async fn look_at(&mut self, data: &Path, lake: &str) -> anyhow::Result<()> {
        let tracking = open_tracking(data)?;
        let reachable = tracking.check().await;
        self.mlflow = MlflowServer::from_env()?.map(|server| MlflowHealth {
            server: server.to_string(),
            reachable: reachable.is_ok(),
        });
        reachable?;
        let (drifts, problems) = production_drift(tracking.as_ref(), lake).await;
        for problem in problems {
            match problem {
                DriftProblem::Tracking(problem) => self.problems.push(problem.to_string()),
                // The lake has its own place among the findings.
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
            let moved: Vec<String> = drift
                .parts()
                .filter(|(_, psi)| *psi > PSI_NOTABLE)
                .map(|(what, psi)| format!("{what} {psi:.2}"))
                .collect();
            if !moved.is_empty() {
                self.warnings.push(format!(
                    "{}/{} knows another market than the last day's (PSI above {PSI_NOTABLE}: {}): train anew, or look why",
                    drift.model,
                    drift.version,
                    moved.join(", ")
                ));
            }
            self.drift.push(drift);
        }
        Ok(())
    }
}

impl DriftHealth {
    /// The scores and every input.
    fn parts(&self) -> impl Iterator<Item = (&str, f64)> {
        let scores = self.scores.map(|psi| ("scores", psi));
        let inputs = self
            .inputs
            .iter()
            .map(|(input, psi)| (input.as_str(), *psi));
        scores.into_iter().chain(inputs)
    }
}

impl fmt::Display for MlflowHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reachable = if self.reachable {
            "answers"
        } else {
            "does not answer"
        };
        write!(f, "mlflow {} {reachable}", self.server)
    }
}

impl fmt::Display for DriftHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = format!("{}/{}", self.model, self.version);
        let scores = self
            .scores
            .map_or_else(|| "unknown".to_owned(), |psi| format!("{psi:.3}"));
        write!(f, "drift {model} PSI of scores {scores}")?;
        let farthest = self.inputs.iter().max_by(|a, b| a.1.total_cmp(b.1));
        match farthest {
            Some((input, psi)) => write!(f, ", of inputs at most {psi:.3} ({input})"),
            None => Ok(()),
        }
    }
}
