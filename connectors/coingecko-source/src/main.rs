//! Fluvio connector: CoinGecko market data into a topic.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use coingecko_source::{Config, SECTION, SourceStatus};
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{ConnectorArgs, log, shutdown};

/// Polls CoinGecko and puts every coin's market data into a Fluvio topic.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connector: ConnectorArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse().connector;
    log::init(args.log_format, log::CONNECTOR_FILTER);
    log::exit_code("coingecko-source", run(args).await)
}

async fn run(args: ConnectorArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config, SECTION, args.secrets.as_deref())?;
    let cluster = args.cluster()?;
    let monitor = Monitor::start(&args.monitor, "coingecko-source").await?;
    let status = Arc::new(SourceStatus::default());
    monitor.observe(&config.meta.name, status.clone());
    coingecko_source::run(config, cluster, shutdown::on_signal(), status).await?;
    Ok(ExitCode::SUCCESS)
}
