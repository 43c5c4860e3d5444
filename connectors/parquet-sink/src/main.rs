//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.

use std::sync::Arc;

use clap::Parser;
use connector_runtime::{cli, shutdown};
use parquet_sink::config::Accept;
use parquet_sink::share::Share;
use parquet_sink::{SECTION, StageConfig, StageStatus};

/// Lands a Fluvio topic in a lake of Parquet files, through SmartModules if wanted, and feeds derived topics on the way.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connector: cli::Args,
    /// Where the lake is, instead of the place that the configuration names.
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Copy I of N of this stage, counted from 0: takes the partitions whose number leaves I when divided by N. Tell all
    /// copies the same N.
    #[arg(long, value_name = "I/N", default_value_t)]
    share: Share,
    #[command(flatten)]
    accept: Accept,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    cli::init_logging(args.connector.log_format);
    let secrets = args.connector.secrets.as_deref();
    let mut config = StageConfig::load(&args.connector.config, SECTION, secrets)?;
    if let Some(lake) = args.lake {
        config.settings.lake = lake;
    }
    config.settings.share = args.share;
    config.settings.accept = args.accept;
    let cluster = args.connector.cluster()?;
    let stop = shutdown::on_signal();
    parquet_sink::run(config, cluster, stop, Arc::new(StageStatus::default())).await
}
