//! What was found.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use survey::Survey;

/// Its JSON form is an interface that scripts rely on.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HealthReport {
    #[serde(flatten)]
    pub(crate) survey: Survey,
    /// What deserves a look, but does not make the platform unhealthy.
    pub(crate) warnings: Vec<String>,
    /// What the parts of a running `up` say beside.
    pub(crate) notes: Vec<String>,
    /// The MLflow server, if one is configured.
    pub(crate) mlflow: Option<MlflowHealth>,
    pub(crate) drift: Vec<DriftHealth>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MlflowHealth {
    pub(crate) server: String,
    pub(crate) reachable: bool,
}

/// Population stability indices: the lake's last day compared with the data that a model in production was trained on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DriftHealth {
    pub(crate) model: String,
    pub(crate) version: u32,
    /// Of the model's predictions; `None` if unknown.
    pub(crate) scores: Option<f64>,
    /// Of each input.
    pub(crate) inputs: BTreeMap<String, f64>,
}

impl HealthReport {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.survey.ok {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

impl DriftHealth {
    /// The scores and every input, with their index.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, f64)> {
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
        let state = match self.reachable {
            true => "answers",
            false => "does not answer",
        };
        write!(f, "mlflow {} {state}", self.server)
    }
}

impl fmt::Display for DriftHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scores = self
            .scores
            .map_or_else(|| "unknown".to_owned(), |psi| format!("{psi:.3}"));
        write!(
            f,
            "drift {}/{} PSI of scores {scores}",
            self.model, self.version
        )?;
        let farthest = self.inputs.iter().max_by(|a, b| a.1.total_cmp(b.1));
        match farthest {
            Some((input, psi)) => write!(f, ", of inputs at most {psi:.3} ({input})"),
            None => Ok(()),
        }
    }
}
