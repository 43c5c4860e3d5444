//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.

use std::sync::Arc;

use clap::Parser;
use connector_runtime::{cli, shutdown};
use parquet_sink::config::Accept;
use parquet_sink::{SECTION, StageConfig, StageStatus};

/// Lands a Fluvio topic in a lake of Parquet files, through SmartModules if wanted, and feeds derived topics on the way.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connector: cli::Args,
    #[command(flatten)]
    accept: Accept,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    cli::init_logging(args.connector.log_format);
    let secrets = args.connector.secrets.as_deref();
    let mut config = StageConfig::load(&args.connector.config, SECTION, secrets)?;
    config.settings.accept = args.accept;
    let cluster = args.connector.cluster()?;
    let stop = shutdown::on_signal();
    parquet_sink::run(config, cluster, stop, Arc::new(StageStatus::default())).await
}
