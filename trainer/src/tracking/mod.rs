//! Stores runs and model versions: on an MLflow server, or in a folder with the same semantics.
//!
//! Always true in both: a finished run is complete; a version's model never changes; an alias points at one version at a
//! time and moves in one step.
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
mod tls;
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

/// The tracking that the environment names: the MLflow server of `MLFLOW_TRACKING_URI`, else `folder`.
///
/// # Errors
/// When the environment's variables do not describe a server.
pub fn open(folder: &Path) -> Result<Box<dyn Tracking>, TrackingError> {
    Ok(match MlflowServer::from_env()? {
        Some(server) => Box::new(MlflowTracking::new(&server)?),
        None => Box::new(LocalTracking::new(folder)),
    })
}
