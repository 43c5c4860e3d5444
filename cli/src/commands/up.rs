//! `coinlake up`: the whole platform on this machine, fed from CoinGecko.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::console::Console;
use anyhow::Result;
use broker::Broker;
use clap::Args;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{log, shutdown};
use tokio_util::task::AbortOnDropHandle;

use crate::args::SmartModulesArgs;
use crate::assets;
use crate::platform::{
    Backbone, BackboneConfig, DataDir, LastStart, PartsFile, Platform, ProgressLine, retrain,
    watch_disk,
};
use crate::settings::{RunPlan, SettingsArgs};

/// How long a shutdown waits for a message that is being delivered.
const NOTIFIER_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
}

/// Runs until interrupted, then commits what has been read.
pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    // Everything that can be wrong with the arguments is found before anything is created, and ports before data.
    let plan = RunPlan::read(&args.settings)?;
    plan.check_data().await?;
    let smartmodules = args.smartmodules.read()?;
    let monitor = Arc::new(Monitor::start(&plan.monitor, "up").await?);
    let listener = Broker::bind(plan.listen).await?;
    let console = Console::bind(plan.console).await?;
    let data = DataDir::open(&plan.data, &plan.market())?;
    let mut backbone = Backbone::start(BackboneConfig {
        data: data.clone(),
        listener,
        advertise: plan.advertise.map(|address| (address.host, address.port)),
        smartmodules,
        retention: plan.retention,
        last_start: LastStart {
            broker: None,
            lake: plan.lake,
            secrets: plan.secrets,
            commit_interval: plan.commit_interval,
            disk_budget: plan.disk_budget,
        },
    })
    .await?;
    let (addr, lake) = (backbone.addr(), backbone.lake_url());
    let console = backbone.serve_console(console).await?;
    let mut source = assets::source()?;
    source.settings = plan.source;
    let calls_file = source.settings.calls_file.take();
    source.settings.calls_file = Some(calls_file.unwrap_or_else(|| data.calls()));
    let mut platform = Platform::launch(backbone, source, plan.stages);
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {addr}, lake at {lake}, market: CoinGecko, live"
    ));
    log::say(&format!("console at http://{console}"));
    for receiver in &plan.receivers {
        log::say(&format!("sending alerts to {}", receiver.host()));
        monitor.observe(receiver.part(), receiver.status());
    }
    let (cluster, stop) = (platform.cluster().clone(), interrupted.clone());
    let notifier = AbortOnDropHandle::new(tokio::spawn(async move {
        webhook_notifier::run(&cluster, &plan.receivers, &stop).await;
    }));
    let retraining = plan.retraining.map(|plan| {
        let folder = args.smartmodules.folder().map(Path::to_owned);
        AbortOnDropHandle::new(tokio::spawn(retrain(
            plan,
            data.clone(),
            folder,
            interrupted.clone(),
        )))
    });
    let _parts_file = PartsFile::start(monitor, data.root());
    let _disk = AbortOnDropHandle::new(tokio::spawn(watch_disk(data, lake, plan.disk_budget)));
    let progress = ProgressLine::start(&platform, None);
    tokio::select! {
        () = interrupted.cancelled() => {}
        error = platform.failed() => return Err(error),
    }
    progress.finish();
    let backbone = platform.stop().await?;
    // The notifier needs the broker to store its position. A delivery can take longer than a shutdown should.
    let _ = tokio::time::timeout(NOTIFIER_TIMEOUT, notifier).await;
    if let Some(retraining) = retraining {
        let _ = retraining.await;
    }
    backbone.stop().await;
    log::say("stopped; everything read so far is committed");
    Ok(())
}
