//! The interface of both trackings.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::TrackingError;
use super::run::{Beginning, OpenRun, RunRecord, RunStatus};
use super::version::{Alias, ModelVersion};
use crate::run::Run;

/// Stores runs and model versions.
#[async_trait]
pub trait Tracking: Send + Sync {
    /// Its address or folder, for messages.
    fn place(&self) -> String;

    /// Checks whether it can be used: one request, with a short timeout.
    async fn check(&self) -> Result<(), TrackingError>;

    /// Starts a run, so that even one that never ends is visible. Creates the experiment if it does not exist.
    async fn start(&self, beginning: &Beginning) -> Result<OpenRun, TrackingError>;

    /// Stores the results of a run and marks it finished. May be repeated after an error.
    async fn finish(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        results: &Run,
    ) -> Result<(), TrackingError>;

    /// Marks a run without results as failed or killed, with the reason.
    async fn abandon(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        status: RunStatus,
        reason: &str,
    ) -> Result<(), TrackingError>;

    /// The newest runs of an experiment, newest first; none of one that no run has created yet.
    async fn runs(&self, experiment: &str, at_most: usize)
    -> Result<Vec<RunRecord>, TrackingError>;

    /// One run.
    async fn run(&self, id: &str) -> Result<RunRecord, TrackingError>;

    /// A file of a run.
    async fn file(&self, run: &str, path: &str) -> Result<Bytes, TrackingError>;

    /// Registers a run's model as a new version. The same run and model always get the same version.
    async fn register(&self, run: &OpenRun, model: &str) -> Result<ModelVersion, TrackingError>;

    /// Writes on a version why it has its aliases.
    async fn note(&self, version: &ModelVersion, note: &str) -> Result<(), TrackingError>;

    /// Every version of a model, newest first.
    async fn versions(&self, model: &str) -> Result<Vec<ModelVersion>, TrackingError>;

    /// The version an alias points at, if the alias exists.
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
