//! Where runs and model versions are kept: an MLflow server, or a folder of the same meaning.
//!
//! Always true, in both: a run that is finished holds everything that was given to it; a version never changes the
//! model it stands for; an alias points at one version at a time, and moving it is one step.

mod error;
mod local;
mod mlflow;
mod publish;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use error::TrackingError;
pub use local::LocalTracking;
pub use mlflow::MlflowTracking;
pub use publish::{Published, publish};
pub use settings::MlflowServer;

use crate::run::Run;

/// The file of a model, inside the folder that [`model_folder`] names.
const MODEL_FILE: &str = "model.bin";

/// Where a run keeps a model.
fn model_folder(model: &str) -> String {
    format!("models/{model}")
}

/// Where a run keeps a model's file.
fn model_path(model: &str) -> String {
    format!("{}/{MODEL_FILE}", model_folder(model))
}

/// What every tracking does.
#[async_trait]
pub trait Tracking: Send + Sync {
    /// Where it is, for messages.
    fn place(&self) -> String;

    /// Whether it can be used; asks once and does not wait for long.
    async fn check(&self) -> Result<(), TrackingError>;

    /// Begins a run, so that one that never ends can be seen; makes the experiment where there is none.
    async fn start(&self, beginning: &Beginning) -> Result<OpenRun, TrackingError>;

    /// Keeps what the run gave and marks it finished. Trying again after an error does no harm.
    async fn finish(&self, run: &OpenRun, ended_ms: i64, given: &Run) -> Result<(), TrackingError>;

    /// Marks a run that gave nothing, and says why.
    async fn abandon(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        status: RunStatus,
        reason: &str,
    ) -> Result<(), TrackingError>;

    /// The newest runs of an experiment, newest first.
    async fn runs(&self, experiment: &str, at_most: usize)
    -> Result<Vec<RunRecord>, TrackingError>;

    /// One run.
    async fn run(&self, id: &str) -> Result<RunRecord, TrackingError>;

    /// A file of a run.
    async fn file(&self, run: &str, path: &str) -> Result<Bytes, TrackingError>;

    /// Makes the model that a run gave a new version. The same run and model give the same version again.
    async fn register(&self, run: &OpenRun, model: &str) -> Result<ModelVersion, TrackingError>;

    /// Says on a version why it is where it is.
    async fn note(&self, version: &ModelVersion, note: &str) -> Result<(), TrackingError>;

    /// Every version of a model, newest first.
    async fn versions(&self, model: &str) -> Result<Vec<ModelVersion>, TrackingError>;

    /// The version an alias points at, if there is such an alias.
    async fn version_at(
        &self,
        model: &str,
        alias: Alias,
    ) -> Result<Option<ModelVersion>, TrackingError>;

    /// Points an alias at a version.
    async fn set_alias(&self, model: &str, alias: Alias, version: u32)
    -> Result<(), TrackingError>;

    /// The model file of a version.
    async fn model(&self, version: &ModelVersion) -> Result<Bytes, TrackingError>;
}

/// The tracking that the environment asks for: the MLflow server of `MLFLOW_TRACKING_URI`, else `folder`.
///
/// # Errors
/// When the environment names something that is no server.
pub fn open(folder: &Path) -> Result<Box<dyn Tracking>, TrackingError> {
    Ok(match MlflowServer::from_env()? {
        Some(server) => Box::new(MlflowTracking::new(&server)?),
        None => Box::new(LocalTracking::new(folder)),
    })
}

/// How a run begins.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The experiment it belongs to.
    pub experiment: String,
    /// Its name, for people.
    pub name: String,
    /// When, in milliseconds since the epoch.
    pub started_ms: i64,
    /// What is known about it already.
    pub tags: BTreeMap<String, String>,
}

/// A run that was begun.
#[derive(Debug, Clone)]
pub struct OpenRun {
    /// Its id.
    pub id: String,
    /// Where its files go, in the tracking's own terms.
    files: String,
    beginning: Beginning,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Under way, or its process died.
    #[serde(alias = "scheduled")]
    Running,
    /// It gave what it was to give.
    Finished,
    /// It ended with an error.
    Failed,
    /// Somebody ended it.
    Killed,
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Killed => "killed",
        })
    }
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Where people look at it in a browser, if anywhere.
    pub link: Option<String>,
    /// How it stands.
    pub status: RunStatus,
    /// When it began, in milliseconds since the epoch.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// What was set.
    pub params: BTreeMap<String, String>,
    /// What was measured; of a series the last value.
    pub metrics: BTreeMap<String, f64>,
    /// What is known about it.
    pub tags: BTreeMap<String, String>,
}

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelVersion {
    /// The registered model.
    pub model: String,
    /// Its number, from 1.
    pub version: u32,
    /// The run that made it.
    pub run: String,
    /// When it was registered, in milliseconds since the epoch.
    pub created_ms: i64,
    /// Which aliases point at it.
    pub aliases: Vec<String>,
    /// Why it is where it is.
    pub note: String,
    /// Where its file lies, in the tracking's own terms.
    #[serde(skip)]
    source: String,
}

/// Where a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alias {
    /// It waits to be looked at.
    Staging,
    /// It serves.
    Production,
}

impl Alias {
    /// The alias's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
