//! `coinlake up`: everything on this machine, fed from CoinGecko.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use coingecko_source::{KeyPlan, SourceSettings};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use tokio_util::task::AbortOnDropHandle;
use webhook_notifier::{NotifyStatus, WebhookArgs};

use crate::assets;
use crate::console;
use crate::data_dir::DataDir;
use crate::platform::{Backbone, DEFAULT_LISTEN};
use crate::progress::ProgressLine;

/// How long the end waits for a message that is being delivered.
const NOTIFIER_PATIENCE: Duration = Duration::from_secs(5);

/// The kinds of CoinGecko keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Plan {
    Demo,
    Pro,
}

impl From<Plan> for KeyPlan {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Demo => Self::Demo,
            Plan::Pro => Self::Pro,
        }
    }
}

#[derive(Args)]
pub struct Options {
    /// Where topics and lake are kept
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
    /// Where the broker listens; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,
    /// Where the web page is served; port 0 takes any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = console::DEFAULT_LISTEN)]
    console: SocketAddr,
    /// Folder of the SmartModules [default: ../smartmodules beside this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
    /// A CoinGecko key; without one the public API answers a few calls a minute. Better in the environment than here,
    /// where other users of this machine see it
    #[arg(
        long,
        env = "COINGECKO_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
    /// What kind of key it is
    #[arg(long, env = "COINGECKO_PLAN", default_value = "demo")]
    plan: Plan,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted; what was read is committed then.
pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let mut source = ConnectorConfig::<SourceSettings>::from_yaml(
        assets::SOURCE,
        coingecko_source::SECTION,
        &Secrets::none(),
    )
    .context("the shipped source config is broken")?;
    if let Some(key) = options.api_key {
        source.settings.api_key = Some(key.into());
        source.settings.plan = options.plan.into();
    }
    let webhook = options.webhook.webhook()?;
    let monitor = Monitor::start(&options.monitor, "up").await?;
    let data = DataDir::open(&options.data, "live data")?;
    let lake = data.lake();
    let mut backbone =
        Backbone::start(data, options.listen, options.smartmodules.as_deref()).await?;
    let addr = backbone.addr();
    let console = backbone.serve_console(options.console).await?;
    let mut platform = backbone.launch(source)?;
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {addr}, lake at {}, market: CoinGecko, live",
        lake.display()
    ));
    log::say(&format!("console at http://{console}"));
    let notifier = webhook.map(|webhook| {
        log::say(&format!("alerts go to {}", webhook.host()));
        let status = Arc::new(NotifyStatus::default());
        monitor.observe("notify", status.clone());
        let (cluster, stop) = (platform.cluster().clone(), interrupted.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            webhook_notifier::run(&cluster, &webhook, &stop, &status).await;
        }))
    });
    let progress = ProgressLine::start(&platform, None);
    tokio::select! {
        () = interrupted.cancelled() => {}
        error = platform.failed() => return Err(error),
    }
    progress.finish();
    let backbone = platform.stop().await?;
    // It stores its position while the broker is there; an attempt under way may take seconds and is not waited for long.
    if let Some(notifier) = notifier {
        let _ = tokio::time::timeout(NOTIFIER_PATIENCE, notifier).await;
    }
    backbone.stop().await;
    log::say("stopped; what was read is committed");
    Ok(())
}
