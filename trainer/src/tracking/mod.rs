//! Where runs and model versions are kept: an MLflow server, or a folder of the same meaning.
//!
//! Always true, in both: a run that is finished holds everything that was given to it; a version never changes the
//! model it stands for; an alias points at one version at a time, and moving it is one step.
//!
//! - [`Tracking`]: what both do; [`open`] picks the one that the environment names
//! - [`MlflowTracking`]: a server, found by [`MlflowServer`]
//! - [`LocalTracking`]: a folder
//! - [`publish`](publish()) uploads a run of the folder to the server

mod backend;
mod error;
mod layout;
mod local;
mod mlflow;
mod publish;
mod run;
mod settings;
mod version;

use std::path::Path;

pub use backend::Tracking;
pub use error::TrackingError;
pub use local::LocalTracking;
pub use mlflow::MlflowTracking;
pub use publish::{Published, publish};
pub use run::{Beginning, OpenRun, RunRecord, RunStatus};
pub use settings::MlflowServer;
pub use version::{Alias, ModelVersion};

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
