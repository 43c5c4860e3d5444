//! `coinlake train`: models learned from the lake, their runs, and what becomes of them.
//!
//! Runs and versions are kept in the MLflow server that `MLFLOW_TRACKING_URI` names, else in the data directory.

mod compare;
mod drift;
mod health;
mod list;
mod promote;
mod publish;
mod run;
mod status;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use console::ModelsConfig;
use trainer::tracking::{self, LocalTracking, MlflowServer, MlflowTracking, Tracking};

use crate::data_dir::MODELS;
pub use health::{DriftHealth, MlflowHealth, ModelsHealth};

#[derive(Subcommand)]
pub enum Command {
    /// Learn both models from the lake, judge them, register them; better ones go to production
    Run(run::Options),
    /// Show runs, versions and what is in production
    List(list::Options),
    /// Show two runs side by side
    Compare(compare::Options),
    /// Point `staging` or `production` at a version; what is in production goes into the running broker
    Promote(promote::Options),
    /// Upload a run of the data directory to the MLflow server
    Publish(publish::Options),
}

/// Runs one of them.
pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::Run(options) => run::run(options).await,
        Command::List(options) => list::run(options).await,
        Command::Compare(options) => compare::run(options).await,
        Command::Promote(options) => promote::run(options).await,
        Command::Publish(options) => publish::run(options).await,
    }
}

/// Where a data directory keeps runs and versions.
pub fn models_folder(data: &Path) -> PathBuf {
    data.join(MODELS)
}

/// The tracking to use with a data directory.
pub fn open_tracking(data: &Path) -> Result<Box<dyn Tracking>> {
    Ok(tracking::open(&models_folder(data))?)
}

/// What the console shows of the models that are kept with a data directory, or in the server that the environment
/// names; `None` where there is neither.
pub fn models_config(data: Option<&Path>, lake: String) -> Result<Option<ModelsConfig>> {
    let server = MlflowServer::from_env()?;
    let link = server.as_ref().map(ToString::to_string);
    let tracking: Box<dyn Tracking> = match (server, data) {
        (Some(server), _) => Box::new(MlflowTracking::new(&server)?),
        (None, Some(data)) => Box::new(LocalTracking::new(&models_folder(data))),
        (None, None) => return Ok(None),
    };
    Ok(Some(ModelsConfig {
        tracking,
        link,
        experiment: EXPERIMENT.to_owned(),
        lake,
    }))
}

/// Which runs are meant.
#[derive(Args)]
struct RunsOptions {
    /// Data directory of `coinlake up` or `demo`; runs and versions are kept in it where MLFLOW_TRACKING_URI names no
    /// server
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
    /// The MLflow experiment that runs belong to
    #[arg(long, value_name = "NAME", default_value = EXPERIMENT)]
    experiment: String,
}

/// What runs belong to unless told otherwise.
const EXPERIMENT: &str = "coinlake";
