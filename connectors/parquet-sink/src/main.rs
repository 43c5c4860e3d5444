//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use connector_runtime::kubernetes::Pod;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{ConnectorArgs, log, shutdown};
use parquet_sink::config::{Accept, Share};
use parquet_sink::{SECTION, StageConfig, StageStatus};

/// Land a Fluvio topic in tables of a lake and in derived topics, through SmartModules if configured.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    connector: ConnectorArgs,
    /// The lake to write to, instead of the one in the configuration.
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Run copy I of N of this stage, counted from 0: it takes the partitions whose number modulo N is I. Start every
    /// copy with the same N.
    #[arg(long, value_name = "I/N", default_value_t)]
    share: Share,
    /// Run as this pod of a StatefulSet on Kubernetes. As many copies share the partitions as it has pods at the moment; each
    /// partition has a Lease.
    #[arg(long, value_name = "NAME", conflicts_with = "share")]
    pod: Option<String>,
    #[command(flatten)]
    accept: Accept,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    log::init(args.connector.log_format, log::CONNECTOR_FILTER);
    log::exit_code("parquet-sink", run(args).await)
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let connector = args.connector;
    let mut config = StageConfig::load(&connector.config, SECTION, connector.secrets.as_deref())?;
    if let Some(lake) = args.lake {
        config.settings.lake = lake;
    }
    config.settings.share = args.share;
    config.settings.pod = args.pod.as_deref().map(Pod::here).transpose()?;
    config.settings.accept = args.accept;
    let cluster = connector.cluster()?;
    let monitor = Monitor::start(&connector.monitor, "parquet-sink").await?;
    let status = Arc::new(StageStatus::default());
    monitor.observe(&config.meta.name, status.clone());
    parquet_sink::run(config, cluster, shutdown::on_signal(), status).await?;
    Ok(ExitCode::SUCCESS)
}
