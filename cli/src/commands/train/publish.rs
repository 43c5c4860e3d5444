//! `coinlake train publish`: uploads a run that is stored in the data directory to the MLflow server.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use trainer::tracking::{self, MlflowServer, MlflowTracking, Tracking};

use crate::models::local_tracking;
use crate::settings::default_data_dir;

#[derive(Args)]
pub(crate) struct PublishArgs {
    /// Run to upload, as listed by `coinlake train list` without MLFLOW_TRACKING_URI
    #[arg(value_name = "RUN")]
    run: String,
    /// Data directory that stores the run
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    pub(super) data: PathBuf,
    /// MLflow experiment to upload to [default: the experiment of the run]
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
}

pub(crate) async fn run(args: PublishArgs) -> Result<()> {
    let Some(server) = MlflowServer::from_env()? else {
        bail!("set MLFLOW_TRACKING_URI to the MLflow server that the run should be uploaded to");
    };
    let server = MlflowTracking::new(&server)?;
    let local = local_tracking(&args.data);
    let published =
        tracking::publish(&local, &args.run, args.experiment.as_deref(), &server).await?;
    let place = server.place();
    if published.known {
        outln!(
            "run {} is already in {place}, as run {}",
            args.run,
            published.run
        );
    } else {
        outln!(
            "uploaded run {} to {place}, as run {}",
            args.run,
            published.run
        );
    }
    for version in published.versions {
        let aliases = match version.aliases.as_slice() {
            [] => String::new(),
            aliases => format!(" ({})", aliases.join(", ")),
        };
        outln!("{}/{}{aliases}", version.model, version.version);
    }
    Ok(())
}
