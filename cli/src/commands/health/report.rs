//! What was found.

use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use survey::Survey;
use trainer::production::ModelDrift;

/// Scripts rely on its JSON form.
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
    pub(crate) drift: Vec<ModelDrift>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MlflowHealth {
    pub(crate) server: String,
    pub(crate) reachable: bool,
}

impl HealthReport {
    /// The report for scripts, which get only the messages of problems.
    pub(crate) fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        let mut json = serde_json::to_value(self)?;
        let problems = self.survey.problems.iter();
        json["problems"] = problems.map(|problem| problem.message.clone()).collect();
        Ok(json)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.survey.ok {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
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

/// One line about a model's drift.
pub(crate) fn drift_line(drift: &ModelDrift) -> String {
    let scores = drift.scores;
    let scores = scores.map_or_else(|| "unknown".to_owned(), |psi| format!("{psi:.3}"));
    let line = format!(
        "drift {}/{} PSI of scores {scores}",
        drift.model, drift.version
    );
    match drift.farthest() {
        Some((input, psi)) => format!("{line}, of inputs at most {psi:.3} ({input})"),
        None => line,
    }
}
