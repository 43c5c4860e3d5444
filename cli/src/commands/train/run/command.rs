//! Trains once, or again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::process::{log, shutdown};
use tokio_util::sync::CancellationToken;
use trainer::TrainSettings;

use super::args::RunArgs;
use super::status::TrainStatus;
use super::training::train_once;

/// A training that failed is repeated after this long at the latest.
const RETRY_MAX: Duration = Duration::from_secs(600);

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
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        let begun = Instant::now();
        let trained = train_once(args, settings, interrupted).await;
        if interrupted.is_cancelled() {
            return trained;
        }
        let took = begun.elapsed();
        status.trained(&trained, took);
        pause = pause_after(trained.is_ok(), took, every);
        // Next time the lake may be large enough, or the server reachable.
        if let Err(error) = trained {
            log::complain("coinlake", &error);
        }
    }
}

fn pause_after(succeeded: bool, took: Duration, every: Duration) -> Duration {
    match succeeded {
        true => every.saturating_sub(took),
        false => every.min(RETRY_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_a_daily_training_is_repeated_in_ten_minutes() {
        let secs = Duration::from_secs;
        let day = secs(24 * 3600);
        assert_eq!(pause_after(true, secs(60), day), day - secs(60));
        assert_eq!(pause_after(false, secs(60), day), secs(600));
        assert_eq!(pause_after(false, secs(60), secs(300)), secs(300));
        assert_eq!(pause_after(true, secs(400), secs(300)), Duration::ZERO);
    }
}
