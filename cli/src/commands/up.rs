//! `coinlake up`: the whole platform on this machine, fed from CoinGecko.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::console::Console;
use anyhow::{Context, Result, anyhow};
use broker::Broker;
use clap::Args;
use connector_runtime::clock::Clock;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{log, shutdown};
use tokio::task::JoinSet;
use webhook_notifier::Receiver;

use crate::args::SmartModulesArgs;
use crate::assets;
use crate::models::local_tracking;
use crate::platform::{
    Backbone, BackboneConfig, ConsolePlan, DataDir, Desk, LastStart, PartsFile, Platform,
    ProgressLine, STOPPED, STOPPING, STOPPING_AFTER_FAILURE, first_failure, keep_up, retrain,
    watch_disk,
};
use crate::settings::{RunPlan, SettingsArgs};

/// How long a shutdown waits for a message that is being delivered, and for a training to end.
const BACKGROUND_STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
}

/// Runs until interrupted, then commits what has been read.
///
/// # Errors
/// What is wrong with the settings, or why a part stopped.
pub(crate) async fn run(args: UpArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    // Settings are checked before anything is created, and ports are taken before the data directory is touched.
    let plan = RunPlan::read(&args.settings)?;
    plan.check_data().await?;
    let smartmodules = args.smartmodules.read()?;
    let monitor = Arc::new(Monitor::start(&plan.monitor, "up").await?);
    let listener = Broker::bind(plan.listen)
        .await
        .context("--listen, or broker.listen in coinlake.yaml")?;
    let console_listener = Console::bind(plan.console)
        .await
        .context("--console, or console in coinlake.yaml")?;
    let data = DataDir::open(&plan.data, &plan.market())?;
    let receivers = plan.receivers.iter().map(Receiver::status).collect();
    let desk = Arc::new(Desk::open(data.root(), Clock::of_process()?, receivers)?);
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
    let console = backbone
        .serve_console(ConsolePlan {
            speed: None,
            listener: console_listener,
            allowed_hosts: plan.allowed_hosts,
            desk: Arc::clone(&desk),
        })
        .await?;
    let mut source = assets::source()?;
    source.settings = plan.source;
    source
        .settings
        .calls_file
        .get_or_insert_with(|| data.calls_file());
    let mut platform = Platform::launch(backbone, source, plan.stages);
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {addr}, lake at {lake}, market: CoinGecko, live"
    ));
    for receiver in &plan.receivers {
        log::say(&format!("sending alerts to {}", receiver.host()));
        monitor.observe(receiver.part(), receiver.status());
    }
    log::say(&format!(
        "console at http://{console}; in another terminal, try `coinlake health`"
    ));
    let _parts_file = PartsFile::start(monitor, data.root());

    // In the background, until interrupted.
    let mut background = JoinSet::new();
    if !plan.receivers.is_empty() {
        let (cluster, stop) = (platform.cluster().clone(), interrupted.clone());
        let source = platform.source_status();
        background.spawn(async move {
            let is_muted = move |coin: &str| desk.is_muted(coin);
            let is_backfilling = move || source.backfilling().is_some();
            webhook_notifier::run(&cluster, &plan.receivers, &is_muted, &is_backfilling, &stop)
                .await;
        });
    }
    if let Some(training) = plan.retraining {
        let folder = args.smartmodules.folder().map(Path::to_owned);
        background.spawn(retrain(training, data.clone(), folder, interrupted.clone()));
    }
    if let Some(every) = plan.upkeep_every {
        let (lake, stop) = (lake.clone(), interrupted.clone());
        let runs = local_tracking(data.root());
        background.spawn(keep_up(lake, runs, plan.keep_runs, every, stop));
    }
    let stop = interrupted.clone();
    background.spawn(async move {
        let watch = watch_disk(data, lake, plan.disk_budget);
        stop.run_until_cancelled(watch).await;
    });

    let progress = ProgressLine::start(&platform, None);
    let failure = tokio::select! {
        // The background tasks end on the same signal, which must not look like a failure.
        biased;
        () = interrupted.cancelled() => None,
        error = platform.failed() => Some(error),
        Some(ended) = background.join_next() => {
            Some(anyhow!("a background task (notifier, training, upkeep or disk watch) ended, which is a bug: {ended:?}"))
        }
    };
    progress.finish();
    log::say(match failure {
        None => STOPPING,
        Some(_) => STOPPING_AFTER_FAILURE,
    });
    // Whatever failed, the others commit what they have read.
    interrupted.cancel();
    let (backbone, failures) = platform.stop().await;
    // The notifier needs the broker to store its position, so it ends before that.
    let _ = tokio::time::timeout(BACKGROUND_STOP_TIMEOUT, async {
        while background.join_next().await.is_some() {}
    })
    .await;
    backbone.stop().await;
    first_failure(failure.into_iter().chain(failures))?;
    log::say(STOPPED);
    Ok(())
}
