//! `coinlake console`: the web console of a platform that runs elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use ::console::{Console, ConsoleConfig};
use anyhow::Result;
use clap::Args;
use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::{Monitor, MonitorArgs, Observed};
use connector_runtime::process::{log, shutdown};
use market::names::topic;
use tokio_util::task::AbortOnDropHandle;

use crate::args::TargetArgs;
use crate::assets;
use crate::models;
use crate::platform::DEFAULT_CONSOLE_LISTEN;

#[derive(Args)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Address of the web console; port 0 selects a free port. There is no login: everyone who can reach the address can
    /// see the console
    #[arg(long, value_name = "ADDR:PORT", default_value_t = DEFAULT_CONSOLE_LISTEN)]
    listen: SocketAddr,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Alive as long as the process runs; ready while the cluster answers.
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

/// Serves the console until interrupted.
pub(crate) async fn run(args: ConsoleArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let target = args.target.resolve()?;
    let listener = Console::bind(args.listen).await?;
    let monitor = Monitor::start(&args.monitor, "console").await?;
    let status = Arc::new(ConsoleStatus::default());
    monitor.observe("console", status.clone());
    let cluster = target.cluster.clone();
    let console = Console::start(ConsoleConfig {
        cluster: target.cluster,
        lake: target.lake,
        blueprint: assets::blueprint(target.last_start.commit_interval)?,
        models: models::console_models(target.data.as_deref(), target.lake_url)?,
        chain_times: None,
        listener,
    })
    .await?;
    // Only now: ready means that the console is served.
    let _health_watch = AbortOnDropHandle::new(tokio::spawn(async move {
        status
            .cluster_health
            .watch(&cluster, topic::RAW, &[0], |_, _| {})
            .await;
    }));
    log::say(&format!("console at http://{}", console.addr()));
    interrupted.cancelled().await;
    console.stop().await;
    Ok(())
}
