//! `coinlake train publish`: a run of the data directory, uploaded to the MLflow server later.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use trainer::tracking::{self, LocalTracking, MlflowServer, MlflowTracking, Tracking};

use super::models_folder;

#[derive(Args)]
pub struct Options {
    /// The run, as `coinlake train list` shows it without MLFLOW_TRACKING_URI
    #[arg(value_name = "RUN")]
    run: String,
    /// The data directory that holds it
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
    /// Another MLflow experiment than the one it was made for
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
}

pub async fn run(options: Options) -> Result<()> {
    let Some(server) = MlflowServer::from_env()? else {
        bail!("set MLFLOW_TRACKING_URI to the MLflow server that the run is to be uploaded to");
    };
    let server = MlflowTracking::new(&server)?;
    let local = LocalTracking::new(&models_folder(&options.data));
    let published =
        tracking::publish(&local, &options.run, options.experiment.as_deref(), &server).await?;
    let place = server.place();
    if published.known {
        println!(
            "run {} is in {place} already, as run {}",
            options.run, published.run
        );
    } else {
        println!(
            "run {} is in {place} now, as run {}",
            options.run, published.run
        );
    }
    for version in published.versions {
        let aliases = match version.aliases.as_slice() {
            [] => String::new(),
            aliases => format!(" ({})", aliases.join(", ")),
        };
        println!("{}/{}{aliases}", version.model, version.version);
    }
    Ok(())
}
