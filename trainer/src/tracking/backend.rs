//! What every tracking does.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::TrackingError;
use super::run::{Beginning, OpenRun, RunRecord, RunStatus};
use super::version::{Alias, ModelVersion};
use crate::run::Run;

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
