//! The source at work: one task polls, another appends, a bounded queue between them keeps the order.
//!
//! Always true: polls never overlap; the stop signal interrupts waiting, and what was fetched before it is appended and
//! acknowledged before [`run`] returns.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use connector_runtime::clock::Clock;
use connector_runtime::cluster::Cluster;
use connector_runtime::process::log;
use connector_runtime::record::Outgoing;
use connector_runtime::topic::wait_for_topics;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::append::{Batch, Target, append_all};
use crate::budget::plan::{Cost, thousands};
use crate::config::{Config, Polling};
use crate::freshness::Freshness;
use crate::history::History;
use crate::history::past::Past;
use crate::poll::{Ended, Polled, Poller};
use crate::sparse;
use crate::status::SourceStatus;

/// What may wait for the topic: polls, and KiB of their replies.
const QUEUE_POLLS_MAX: usize = 64;
const QUEUE_KIB_MAX: usize = 4_096;
/// Records of history that are sent at once.
const BATCH_RECORDS_MAX: usize = 1_000;
/// With a poll interval of zero: the pause after a poll that brought nothing new, and after one that failed.
const PAUSE_UNCHANGED: Duration = Duration::from_millis(10);
const PAUSE_FAILED: Duration = Duration::from_secs(1);

/// Polls CoinGecko and appends what it says to the topic until the stop signal.
///
/// A broker or server that is away is waited for; bad replies are logged, counted and passed over.
///
/// # Errors
/// What only a person can mend: settings that are wrong (also when CoinGecko refuses the key before any reply has
/// come), a topic that is missing or has another partition count.
pub fn run(
    config: Config,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<SourceStatus>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let result = poll_and_append(config, cluster, stop, Arc::clone(&status)).await;
        status.ended(&result);
        result
    })
}

async fn poll_and_append(
    config: Config,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<SourceStatus>,
) -> anyhow::Result<()> {
    let Some(ready) = Ready::start(config, cluster, &stop, &status).await? else {
        return Ok(());
    };
    let Ready {
        mut polling,
        mut poller,
        target,
        _health_watch,
    } = ready;
    let history = match polling.history.length() {
        None => None,
        Some(span) => {
            let Some((past, sent)) = Past::read(&target, &stop).await? else {
                return Ok(());
            };
            poller.remember(&sent);
            let status = Arc::clone(&status);
            Some(History::new(&polling, span, past, status))
        }
    };
    let interval = polling.interval(poller.calls_per_poll());
    status.polls_every(interval);
    tracing::info!(
        "polling {} into {} ({} partitions) every {interval:?}",
        polling.asked.markets.host_str().unwrap_or_default(),
        target.topic,
        target.partitions,
    );
    tell_cost(&mut poller, &polling, interval);
    let (queue, mut append) = Queue::open(target, &stop, &status);
    let ended = tokio::select! {
        ended = poll_all(poller, &mut polling, history, queue, &stop, &status) => ended,
        appended = &mut append => return appended.context("the appending task broke")?,
    };
    append.await.context("the appending task broke")??;
    match ended {
        Ended::Stopped => Ok(()),
        Ended::Settings(what) => Err(anyhow::Error::msg(what)),
    }
}

/// What fetches and what appends: the settings are right, the topic is there, and the plan is known.
pub(crate) struct Ready {
    pub polling: Polling,
    pub poller: Poller,
    pub target: Target,
    pub _health_watch: AbortOnDropHandle<()>,
}

impl Ready {
    /// None when it was stopped.
    ///
    /// # Errors
    /// What only a person can mend.
    pub(crate) async fn start(
        config: Config,
        cluster: Cluster,
        stop: &CancellationToken,
        status: &Arc<SourceStatus>,
    ) -> anyhow::Result<Option<Self>> {
        let mut polling = config.settings.check()?;
        status.started();
        let mut poller = Poller::new(&polling, Arc::clone(status)).context("cannot set up HTTP")?;
        let topic = &config.meta.topic;
        let Some(partitions) = wait_for_topics(&cluster, topic, &[], stop).await? else {
            return Ok(None);
        };
        let health_watch = AbortOnDropHandle::new(tokio::spawn({
            let (status, cluster, topic) =
                (Arc::clone(status), cluster.clone(), topic.name.clone());
            async move {
                let all: Vec<u32> = (0..partitions).collect();
                status
                    .cluster_health
                    .watch(&cluster, &topic, &all, |_, _| {})
                    .await;
            }
        }));
        match poller.caller.read_key(&mut polling, stop).await {
            Ok(_) => {}
            Err(Ended::Stopped) => return Ok(None),
            Err(Ended::Settings(what)) => return Err(anyhow::Error::msg(what)),
        }
        let target = Target {
            cluster,
            topic: topic.name.clone(),
            partitions,
            compression: config.meta.producer.compression,
        };
        Ok(Some(Self {
            polling,
            poller,
            target,
            _health_watch: health_watch,
        }))
    }
}

/// What the interval costs of the plan's month, and of the detector.
fn tell_cost(poller: &mut Poller, polling: &Polling, interval: Duration) {
    let cost = Cost {
        calls_per_poll: poller.calls_per_poll(),
        interval,
    };
    match polling.limits().per_month {
        Some(limit) => {
            let (too_much, mut what) = cost.of_month(limit);
            let used = poller.caller.month().used();
            if used > 0 {
                what += &format!(
                    ". {} of this month's are spent, as far as they were counted",
                    thousands(used)
                );
            }
            match too_much {
                true => tracing::warn!("{what}"),
                false => log::say(&what),
            }
        }
        None => {
            if let Some(calls) = cost.per_month() {
                tracing::info!("polling every {interval:?} takes {calls} calls in 31 days");
            }
        }
    }
    if let Some(what) = sparse::not_computed(interval) {
        tracing::warn!("{what}");
    }
}

async fn poll_all(
    mut poller: Poller,
    polling: &mut Polling,
    mut history: Option<History>,
    queue: Queue,
    stop: &CancellationToken,
    status: &Arc<SourceStatus>,
) -> Ended {
    let clock = status.clock().clone();
    let mut freshness = Freshness::new(Arc::clone(status));
    let mut interval = polling.interval(poller.calls_per_poll());
    let mut ticks = Ticks::new(interval, clock.instant());
    let mut paced = interval;
    let mut waiting = Vec::new();
    loop {
        // At the start it may not have been told.
        let plan_is_new = match poller.caller.read_key(polling, stop).await {
            Ok(is_new) => is_new,
            Err(ended) => return ended,
        };
        let mut polled = Polled {
            coins: std::mem::take(&mut waiting),
            ..Polled::default()
        };
        let ended = poller.poll(&mut polled, stop).await.err();
        // Neither when it was stopped before the first reply.
        if polled.pages_answered + polled.pages_failed > 0 {
            freshness.polled(&polled);
        }
        if let Some(history) = &mut history {
            let gaps = history.gaps(&polled, paced);
            // What is live goes out after the past or, for the next start to find the gap, not at all.
            if (gaps.wait || !gaps.is_empty())
                && let Some(ended) = ended
            {
                return ended;
            }
            if gaps.wait {
                tracing::info!(
                    "{} pages failed: the coins that came wait for theirs, so that the past of all can be filled in",
                    polled.pages_failed
                );
                waiting = std::mem::take(&mut polled.coins);
            } else if !gaps.is_empty() {
                let filled = match history.fill(gaps, &mut poller.caller, stop).await {
                    Ok(filled) => filled,
                    Err(ended) => return ended,
                };
                if queue.send_all(filled.ticks(), stop).await.is_err() {
                    return Ended::Stopped;
                }
                filled.tell();
                ticks = Ticks::new(interval, clock.instant());
            }
            history.sent(&polled);
        }
        let nothing_new = polled.coins.is_empty();
        if !nothing_new {
            let records = polled.coins.into_iter().map(|coin| coin.record).collect();
            if queue.send(records).await.is_err() {
                return Ended::Stopped;
            }
        }
        if let Some(ended) = ended {
            return ended;
        }
        let now = clock.instant();
        let due = polling.interval(poller.calls_per_poll());
        let due_is_new = due != interval;
        if due_is_new {
            // Pages were halved, so that a poll takes more calls than before, or the plan is known only now.
            interval = due;
            ticks = Ticks::new(interval, now);
        }
        if due_is_new || plan_is_new {
            tell_cost(&mut poller, polling, interval);
        }
        let next = if !interval.is_zero() {
            let calls_per_poll = poller.calls_per_poll();
            paced = poller
                .caller
                .month()
                .pace(interval, calls_per_poll, clock.now());
            status.polls_every(paced);
            let month = poller.caller.month();
            status.spread(month.why_spread(paced, clock.now()));
            let (next, missed) = ticks.after(now, paced);
            if missed > 0 {
                tracing::warn!(
                    missed,
                    "a poll took longer than coingecko.poll_interval; the missed ticks are left out"
                );
                status.count_missed(missed);
            }
            next
        } else if polled.pages_failed > 0 {
            now + PAUSE_FAILED
        } else if nothing_new {
            now + PAUSE_UNCHANGED
        } else if stop.is_cancelled() {
            return Ended::Stopped;
        } else {
            continue;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ended::Stopped,
            () = clock.sleep_until(next) => {}
        }
    }
}

/// The way to whoever appends. It holds as much as is permitted to wait for the topic.
pub(crate) struct Queue {
    batches: mpsc::Sender<Batch>,
    room: Arc<Semaphore>,
    clock: Clock,
}

/// Whoever appends has ended, and says why; or it is time to stop.
pub(crate) struct Closed;

impl Queue {
    /// The way to a task that appends, and that task.
    pub(crate) fn open(
        target: Target,
        stop: &CancellationToken,
        status: &Arc<SourceStatus>,
    ) -> (Self, AbortOnDropHandle<anyhow::Result<()>>) {
        let (batches, queue) = mpsc::channel(QUEUE_POLLS_MAX);
        let append = append_all(target, queue, stop.clone(), Arc::clone(status));
        let queue = Self {
            batches,
            room: Arc::new(Semaphore::new(QUEUE_KIB_MAX)),
            clock: status.clock().clone(),
        };
        (queue, AbortOnDropHandle::new(tokio::spawn(append)))
    }

    /// Sends records, once there is room for them.
    pub(crate) async fn send(&self, records: Vec<Outgoing>) -> Result<(), Closed> {
        let bytes: usize = records.iter().map(|record| record.value.len()).sum();
        let kib = (bytes / 1_024).clamp(1, QUEUE_KIB_MAX) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await;
        let batch = Batch {
            records,
            room: room.expect("this semaphore is never closed"),
            work: self.clock.working(),
        };
        self.batches.send(batch).await.map_err(|_| Closed)
    }

    /// Sends many records, some at a time, unless the stop signal comes.
    pub(crate) async fn send_all(
        &self,
        mut records: impl Iterator<Item = Outgoing>,
        stop: &CancellationToken,
    ) -> Result<(), Closed> {
        loop {
            let some: Vec<Outgoing> = records.by_ref().take(BATCH_RECORDS_MAX).collect();
            if some.is_empty() {
                return Ok(());
            }
            if stop.is_cancelled() {
                return Err(Closed);
            }
            self.send(some).await?;
        }
    }
}

/// The beat of polls: fixed moments from the first one on, so that slow polls don't shift it.
struct Ticks {
    last: Instant,
    interval: Duration,
}

impl Ticks {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            last: now,
            interval,
        }
    }

    /// When to poll next after a poll that ended now, and how many ticks went by during it. Where the month wants a
    /// longer pause than the interval, the beat begins anew after it.
    fn after(&mut self, now: Instant, paced: Duration) -> (Instant, u64) {
        if paced > self.interval {
            self.last = (self.last + paced).max(now);
            return (self.last, 0);
        }
        let passed = now.saturating_duration_since(self.last);
        let missed = passed.as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.last += self.interval * missed.saturating_add(1);
        (self.last, missed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_are_left_out_and_the_beat_is_kept() {
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut ticks = Ticks::new(Duration::from_secs(60), start);
        let minute = Duration::from_secs(60);
        assert_eq!(ticks.after(at(2), minute), (at(60), 0));
        assert_eq!(ticks.after(at(61), minute), (at(120), 0));
        assert_eq!(ticks.after(at(305), minute), (at(360), 3));
        assert_eq!(ticks.after(at(420), minute), (at(480), 1));
        assert_eq!(ticks.after(at(481), 10 * minute), (at(1_080), 0));
        assert_eq!(ticks.after(at(2_000), 10 * minute), (at(2_000), 0));
        assert_eq!(ticks.after(at(2_001), minute), (at(2_060), 0));
    }
}
