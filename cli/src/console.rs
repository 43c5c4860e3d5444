//! `coinlake console`: the web page, of a platform that runs elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use ::console::{Console, ConsoleConfig};
use anyhow::Result;
use clap::Args;
use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::{Monitor, MonitorArgs, Observed};
use connector_runtime::process::{log, shutdown};
use tokio_util::task::AbortOnDropHandle;

use crate::assets;
use crate::platform::RAW;
use crate::target::Target;
use crate::train;

/// Where the console listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9080";

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Where to serve the page; port 0 takes any free one. It has no login: whoever reaches the address can look
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// The page is there as long as the process is; what it shows comes from the cluster.
#[derive(Default)]
struct ConsoleStatus {
    cluster_health: ClusterHealth,
}

impl Observed for ConsoleStatus {
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        self.cluster_health.check()
    }
}

/// Serves the page until interrupted.
pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let platform = options.target.open()?;
    let monitor = Monitor::start(&options.monitor, "console").await?;
    let status = Arc::new(ConsoleStatus::default());
    monitor.observe("console", status.clone());
    let cluster = platform.cluster.clone();
    let console = Console::start(ConsoleConfig {
        cluster: platform.cluster,
        lake: platform.lake,
        blueprint: assets::blueprint()?,
        models: train::models_config(platform.data.as_deref(), platform.lake_url)?,
        chain_times: None,
        listen: options.listen,
    })
    .await?;
    // Only now: ready means that the page is served.
    let _health_watch = AbortOnDropHandle::new(tokio::spawn(async move {
        status
            .cluster_health
            .watch(&cluster, RAW, &[0], |_, _| {})
            .await;
    }));
    log::say(&format!("console at http://{}", console.addr()));
    interrupted.cancelled().await;
    console.stop().await;
    Ok(())
}
