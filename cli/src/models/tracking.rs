//! Where runs and model versions are stored: in the MLflow server that `MLFLOW_TRACKING_URI` names, else in the data
//! directory.

use std::path::Path;

use anyhow::Result;
use console::ModelsConfig;
use trainer::tracking::{self, LocalTracking, MlflowServer, MlflowTracking, Tracking};

use crate::settings::default_data_dir;

/// The folder of a data directory that holds runs and model versions.
pub(crate) const MODELS_FOLDER: &str = "models";

/// The MLflow experiment of runs that name no other.
pub(crate) const DEFAULT_EXPERIMENT: &str = "coinlake";

/// The MLflow server, or the data directory if none is configured.
pub(crate) fn open_tracking(data: &Path) -> Result<Box<dyn Tracking>> {
    Ok(tracking::open(&data.join(MODELS_FOLDER))?)
}

/// The data directory's own store, even if an MLflow server is configured.
pub(crate) fn local_tracking(data: &Path) -> LocalTracking {
    LocalTracking::new(&data.join(MODELS_FOLDER))
}

/// What the console needs to show models; `None` without an MLflow server and a data directory.
pub(crate) fn console_models(data: Option<&Path>, lake: String) -> Result<Option<ModelsConfig>> {
    let server = MlflowServer::from_env()?;
    let link = server.as_ref().map(ToString::to_string);
    let tracking: Box<dyn Tracking> = match (server, data) {
        (Some(server), _) => Box::new(MlflowTracking::new(&server)?),
        (None, Some(data)) => Box::new(local_tracking(data)),
        (None, None) => return Ok(None),
    };
    Ok(Some(ModelsConfig {
        tracking,
        link,
        experiment: DEFAULT_EXPERIMENT.to_owned(),
        lake,
        training: training(data),
    }))
}

/// The command that trains models of this platform, wherever it is typed if its data is not where that command looks.
fn training(data: Option<&Path>) -> String {
    let found = default_data_dir().canonicalize().ok();
    match data.map(Path::canonicalize) {
        Some(Ok(data)) if Some(&data) != found.as_ref() => {
            format!("coinlake train run --data {}", data.display())
        }
        _ => "coinlake train run".to_owned(),
    }
}
