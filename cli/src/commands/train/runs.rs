//! Which runs a command is about.

use std::path::PathBuf;

use clap::Args;

use crate::models::DEFAULT_EXPERIMENT;
use crate::platform::DEFAULT_DATA_DIR;

#[derive(Args)]
pub(crate) struct RunsArgs {
    /// Data directory of `coinlake up` or `demo`; it also stores runs and model versions unless MLFLOW_TRACKING_URI names a
    /// server
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub(crate) data: PathBuf,
    /// MLflow experiment of the runs
    #[arg(long, value_name = "NAME", default_value = DEFAULT_EXPERIMENT)]
    pub(crate) experiment: String,
}
