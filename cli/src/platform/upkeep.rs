//! Keeps the lake's tables in order while the platform runs: one table at a time, at low priority, and no longer than until
//! the platform stops. Then removes old runs from the data directory.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use lake::upkeep::{Upkeep, UpkeepError};
use lake::{Lake, Table};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use trainer::tracking::LocalTracking;

/// How often, unless something else is set: soon after each full hour, its files become one.
pub(crate) const INTERVAL: Duration = Duration::from_secs(300);

/// How many runs stay, unless something else is set: a month of daily training.
pub(crate) const KEPT_RUNS: usize = 30;

/// Files are looked for that nobody needs once in so many rounds: they are a day old, and every file is listed.
const VACUUM_EVERY: u64 = 12;

/// Keeps the tables in order at an interval, until `stop`, and all runs but the newest `keep_runs` away. A failure is logged, and
/// the next round finds what is left.
pub(crate) async fn keep_up(
    lake: String,
    runs: LocalTracking,
    keep_runs: usize,
    every: Duration,
    stop: CancellationToken,
) {
    let mut clock = tokio::time::interval_at(Instant::now() + first_after(every), every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let vacuum = round % VACUUM_EVERY == 0;
        if let Err(error) = keep_lake(&lake, vacuum, &stop).await {
            tracing::warn!("upkeep of the lake failed, it is tried again: {error:#}");
        }
        match runs.prune(keep_runs) {
            Ok(0) => {}
            Ok(removed) => tracing::info!("{removed} old runs were removed with their models"),
            Err(error) => tracing::warn!("old runs stay, it is tried again: {error}"),
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// When the first round is due: not at once, when the platform has other things to do, and soon, as one that is restarted every day
/// would never come to a round once a day.
fn first_after(every: Duration) -> Duration {
    every.min(INTERVAL)
}

async fn keep_lake(lake: &str, vacuum: bool, stop: &CancellationToken) -> Result<()> {
    let lake = Lake::open_str(lake, [])?;
    for name in lake.tables().await? {
        let kept = keep_table(&lake.table(&name), &upkeep(stop), vacuum).await;
        match kept {
            Err(UpkeepError::Stopped) => return Ok(()),
            // The other tables are no worse for it.
            Err(error) => tracing::warn!(table = name, "upkeep failed, it is tried again: {error}"),
            Ok(()) => {}
        }
    }
    if vacuum {
        match upkeep(stop).vacuum_temporary(&lake).await {
            Ok(_) | Err(UpkeepError::Stopped) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn keep_table(table: &Table, upkeep: &Upkeep, vacuum: bool) -> Result<(), UpkeepError> {
    let kept = upkeep.keep(table).await;
    let vacuumed = match kept {
        Err(UpkeepError::Stopped) => Ok(None),
        _ if vacuum => upkeep.vacuum(table).await,
        _ => Ok(None),
    };
    let given_up = kept?.map(|kept| [kept.expired.given_up, kept.optimized.given_up]);
    for reason in given_up.into_iter().flatten().flatten() {
        tracing::info!(
            table = table.name(),
            "left for the next round of upkeep: {reason}"
        );
    }
    vacuumed.map(drop)
}

fn upkeep(stop: &CancellationToken) -> Upkeep {
    let stop = stop.clone();
    Upkeep::at(Timestamp::now().as_millisecond())
        .low_priority()
        .watch(move |_| match stop.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_round_of_a_day_does_not_wait_for_a_day() {
        let minute = Duration::from_secs(60);
        assert_eq!(first_after(24 * 60 * minute), 5 * minute);
        assert_eq!(first_after(minute), minute);
    }
}
