//! The past on demand, into a topic that has none: one poll, and before it what the charts say.
//!
//! Always true: nothing is appended before all charts have been asked for, so what fails until then can be tried again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use connector_runtime::cluster::Cluster;
use connector_runtime::process::log;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use market::CleanParams;
use tokio_util::sync::CancellationToken;

use crate::budget::plan::thousands;
use crate::config::Config;
use crate::history::History;
use crate::history::past::Past;
use crate::poll::{Ended, Polled};
use crate::run::{Queue, Ready};
use crate::status::SourceStatus;

/// Why nothing is filled in: the topic has newer data already.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is data up to {}, and what is older than {} would be rejected as late",
    .newest,
    .oldest
)]
pub struct LaterData {
    newest: Timestamp,
    /// Ticks before this time are rejected as late.
    oldest: Timestamp,
}

impl LaterData {
    fn up_to(newest_ms: i64) -> Self {
        // To the second; CoinGecko's times are no further off than the year 9999.
        let time = |ms: i64| Timestamp::from_second(ms.div_euclid(1_000)).unwrap_or_default();
        Self {
            newest: time(newest_ms),
            oldest: time(newest_ms - CleanParams::default().allowed_lateness_ms),
        }
    }
}

/// Fills in the last `since` of history, then polls once, and returns. An interrupted fill is resumed.
///
/// # Errors
/// [`LaterData`]; CoinGecko does not answer or refuses; the stop signal; a setting or a key that has to be changed.
pub fn backfill(
    config: Config,
    since: Duration,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<SourceStatus>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let result = fill(config, since, cluster, stop, Arc::clone(&status)).await;
        status.ended(&result);
        result
    })
}

async fn fill(
    config: Config,
    since: Duration,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<SourceStatus>,
) -> anyhow::Result<()> {
    const STOPPED: &str = "stopped before the past was there; nothing more was stored";
    let ready = Ready::start(config, cluster, &stop, &status).await?;
    let Ready {
        polling,
        mut poller,
        target,
        _health_watch,
    } = ready.context(STOPPED)?;
    let (past, sent) = Past::read(&target, &stop).await?.context(STOPPED)?;
    if let Some(newest_ms) = past.newest_ms() {
        let later = LaterData::up_to(newest_ms);
        if !past.ends_halfway() {
            return Err(later.into());
        }
        log::say(&format!(
            "an interrupted filling goes on at {}",
            later.newest
        ));
    }
    poller.remember(&sent);
    let history = History::new(&polling, since, past, Arc::clone(&status));
    let mut history = history.on_demand();
    let failed = |ended: Ended| match ended {
        Ended::Stopped => anyhow::Error::msg(STOPPED),
        Ended::Settings(what) => anyhow::Error::msg(what),
    };
    let mut polled = Polled::default();
    poller.poll(&mut polled, &stop).await.map_err(failed)?;
    if polled.pages_failed > 0 || polled.coins.is_empty() {
        bail!("CoinGecko's list of coins did not come; nothing more was stored: try again later");
    }
    let gaps = history.gaps(&polled, Duration::ZERO);
    let (calls, month) = (history.calls_of(&gaps), poller.caller.month());
    if let Some(left) = month
        .limit()
        .map(|limit| limit.saturating_sub(month.used()))
        && left < calls
    {
        bail!(
            "the past takes {} calls, and {} of this month's are left: name fewer coins, or a shorter --since (a coin takes one \
             call up to 1d, two up to 90d, three beyond)",
            thousands(calls),
            thousands(left)
        );
    }
    let filled = history.fill(gaps, &mut poller.caller, &stop).await;
    let filled = filled.map_err(failed)?;
    if let Some(why) = filled.given_up() {
        bail!("{why}; nothing more was stored: try again later");
    }
    let (queue, append) = Queue::open(target, &stop, &status);
    let live = polled.coins.into_iter().map(|coin| coin.record);
    let sent = match queue.send_all(filled.ticks(), &stop).await {
        Ok(()) => queue.send(live.collect()).await,
        closed => closed,
    };
    drop(queue);
    append.await.context("the appending task broke")??;
    if sent.is_err() {
        bail!("stopped halfway: the same command goes on");
    }
    filled.tell();
    Ok(())
}
