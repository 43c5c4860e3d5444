//! `coinlake console`: the web console of a platform that runs elsewhere.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::console::{AlertDesk, Console, ConsoleConfig};
use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::{Monitor, MonitorArgs, Observed, listen_addr};
use connector_runtime::process::{log, shutdown};
use lake::LakeError;
use market::names::topic;
use tokio_util::task::AbortOnDropHandle;

use crate::args::{Target, TargetArgs};
use crate::assets;
use crate::models;
use crate::platform::{DEFAULT_CONSOLE_LISTEN, DeskElsewhere};
use crate::settings::host_name;

const LAKE_POLL_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Address of the web console, or a port on loopback; port 0 selects a free port. There is no login: everyone who can reach the address can
    /// see the console
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr, default_value_t = DEFAULT_CONSOLE_LISTEN)]
    listen: SocketAddr,
    /// Also serve requests for this host, by which a proxy or a tunnel calls the console. May be given again
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    allow_host: Vec<String>,
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

/// The platform to show. Waits for a lake that nobody has written yet: the console may be started first.
async fn target(args: &TargetArgs) -> Result<Target> {
    let mut poll = tokio::time::interval(LAKE_POLL_INTERVAL);
    let mut is_reported = false;
    loop {
        poll.tick().await;
        match args.resolve() {
            Err(error) if is_missing_lake(&error) => {
                if !is_reported {
                    log::say(&format!("waiting: {error:#}"));
                }
                is_reported = true;
            }
            resolved => return resolved,
        }
    }
}

fn is_missing_lake(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LakeError::Missing { .. }))
}

fn desk(data: &Path) -> Arc<dyn AlertDesk> {
    Arc::new(DeskElsewhere::of(data))
}

/// Serves the console until interrupted.
pub(crate) async fn run(args: ConsoleArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let listener = Console::bind(args.listen).await.context("--listen")?;
    let monitor = Monitor::start(&args.monitor, "console").await?;
    let target = tokio::select! {
        target = target(&args.target) => target?,
        () = interrupted.cancelled() => return Ok(()),
    };
    let status = Arc::new(ConsoleStatus::default());
    monitor.observe("console", status.clone());
    let cluster = target.cluster.clone();
    let mut market = target.market.for_console();
    if target.data.is_none() {
        market.currency = None;
    }
    let console = Console::start(ConsoleConfig {
        cluster: target.cluster,
        lake: target.lake,
        blueprint: assets::blueprint(target.market.is_live(), target.last_start.commit_interval)?,
        models: models::console_models(target.data.as_deref(), target.lake_url)?,
        market,
        source: None,
        chain_times: None,
        desk: target.data.as_deref().map(desk),
        allowed_hosts: args.allow_host,
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
