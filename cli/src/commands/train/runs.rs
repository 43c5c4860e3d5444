//! Which runs a command is about.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::models::DEFAULT_EXPERIMENT;
use crate::platform::DataDir;
use crate::settings::default_data_dir;

#[derive(Args)]
pub(crate) struct RunsArgs {
    /// Data directory of `coinlake up` or `demo`; it also stores runs and model versions unless MLFLOW_TRACKING_URI names a
    /// server
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    pub(crate) data: PathBuf,
    /// MLflow experiment of the runs
    #[arg(long, value_name = "NAME", default_value = DEFAULT_EXPERIMENT)]
    pub(crate) experiment: String,
}

impl RunsArgs {
    /// The lake of the data directory; of one that is none yet, where it will be.
    pub(crate) fn lake(&self) -> Result<String> {
        let data = DataDir::at(&self.data);
        let last_start = data.last_start()?;
        Ok(data.lake(last_start.lake.as_deref()))
    }
}
