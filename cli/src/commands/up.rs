//! `coinlake up`: the whole platform on this machine, fed from CoinGecko.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use coingecko_source::KeyPlan;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use tokio_util::task::AbortOnDropHandle;
use webhook_notifier::WebhookArgs;

use crate::args::SmartModulesArgs;
use crate::assets;
use crate::platform::{
    Backbone, DEFAULT_BROKER_LISTEN, DEFAULT_CONSOLE_LISTEN, DEFAULT_DATA_DIR, DataDir,
    LIVE_MARKET, PartsFile, Platform, ProgressLine,
};

/// How long a shutdown waits for a message that is being delivered.
const NOTIFIER_TIMEOUT: Duration = Duration::from_secs(5);

/// Kinds of CoinGecko keys.
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
pub(crate) struct UpArgs {
    /// Directory for topics, lake and models
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    data: PathBuf,
    /// Address of the broker; port 0 selects a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_BROKER_LISTEN)]
    listen: SocketAddr,
    /// Address of the web console; port 0 selects a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_CONSOLE_LISTEN)]
    console: SocketAddr,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
    /// CoinGecko API key; without one the public API allows a few calls a minute. Prefer the environment variable: other
    /// users of this machine can see command lines
    #[arg(
        long,
        env = "COINGECKO_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    api_key: Option<String>,
    /// Kind of API key
    #[arg(long, env = "COINGECKO_PLAN", default_value = "demo")]
    plan: Plan,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted, then commits what has been read.
pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    // Everything that can be wrong with the arguments is found before anything is created.
    let mut source = assets::source()?;
    if let Some(key) = args.api_key {
        source.settings.api_key = Some(key.into());
        source.settings.plan = args.plan.into();
    }
    let receivers = args.webhook.receivers()?;
    let smartmodules = args.smartmodules.read()?;
    let monitor = Arc::new(Monitor::start(&args.monitor, "up").await?);
    let data = DataDir::open(&args.data, LIVE_MARKET)?;
    let lake = data.lake();
    source.settings.calls_file = Some(data.calls());
    let mut backbone = Backbone::start(data, args.listen, smartmodules).await?;
    let addr = backbone.addr();
    let console = backbone.serve_console(args.console).await?;
    let mut platform = Platform::launch(backbone, source)?;
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {addr}, lake at {}, market: CoinGecko, live",
        lake.display()
    ));
    log::say(&format!("console at http://{console}"));
    for receiver in &receivers {
        log::say(&format!("sending alerts to {}", receiver.host()));
        monitor.observe(receiver.part(), receiver.status());
    }
    let (cluster, stop) = (platform.cluster().clone(), interrupted.clone());
    let notifier = AbortOnDropHandle::new(tokio::spawn(async move {
        webhook_notifier::run(&cluster, &receivers, &stop).await;
    }));
    let _parts_file = PartsFile::start(monitor, &args.data);
    let progress = ProgressLine::start(&platform, None);
    tokio::select! {
        () = interrupted.cancelled() => {}
        error = platform.failed() => return Err(error),
    }
    progress.finish();
    let backbone = platform.stop().await?;
    // The notifier needs the broker to store its position. A delivery can take longer than a shutdown should.
    let _ = tokio::time::timeout(NOTIFIER_TIMEOUT, notifier).await;
    backbone.stop().await;
    log::say("stopped; everything read so far is committed");
    Ok(())
}
