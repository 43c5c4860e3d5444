//! Trains once, or again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{log, shutdown};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use trainer::TrainSettings;

use super::args::RunArgs;
use super::status::TrainStatus;
use super::training::train_once;

pub(crate) async fn run(args: RunArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let settings = args.settings()?;
    match args.every {
        None => train_once(&args, &settings, &interrupted).await,
        Some(every) => train_regularly(&args, &settings, every, &interrupted).await,
    }
}

async fn train_regularly(
    args: &RunArgs,
    settings: &TrainSettings,
    every: Duration,
    interrupted: &CancellationToken,
) -> Result<()> {
    let monitor = Monitor::start(&args.monitor, "trainer").await?;
    let status = Arc::new(TrainStatus::default());
    status.started();
    monitor.observe("trainer", status.clone());
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            _ = interval.tick() => {}
        }
        let begun = Instant::now();
        let trained = train_once(args, settings, interrupted).await;
        if interrupted.is_cancelled() {
            return trained;
        }
        status.trained(&trained, begun.elapsed());
        // Next time the lake may be large enough, or the server reachable.
        if let Err(error) = trained {
            log::complain("coinlake", &error);
        }
    }
}
