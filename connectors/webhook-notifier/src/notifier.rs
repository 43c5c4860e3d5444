//! Reads alerts and posts those that call for a message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use backon::{BackoffBuilder, ExponentialBuilder};
use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, PlainReader};
use connector_runtime::record::Record;
use connector_runtime::topic;
use futures_util::future::select_all;
use tokio_util::sync::CancellationToken;

use crate::cooldown::{Cooldown, Verdict};
use crate::message::Alert;
use crate::status::{Attempt, NotifyStatus, Outcome};
use crate::webhook::{Failure, Webhook};

/// The topic of alerts.
const TOPIC: &str = "crypto-alerts";
/// Whose position the cluster keeps.
const CONSUMER_ID: &str = "coinlake-notify";
/// Older alerts help nobody.
const AGE_MAX: Duration = Duration::from_secs(3600);
/// The position is stored after every message, and so often when there is nothing to tell.
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// Pauses between attempts to deliver: doubling, with as much again at random.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Records looked at in one step to find the coins that were told of before a restart, and how many steps back at most.
const LOOK_BACK_RECORDS: i64 = 1_000;
const LOOK_BACK_STEPS_MAX: usize = 50;

/// Tells of alerts until `stop`, whatever is away meanwhile.
pub async fn run(
    cluster: &Cluster,
    webhook: &Webhook,
    stop: &CancellationToken,
    status: &NotifyStatus,
) {
    status.started();
    let mut notifier = Notifier {
        webhook,
        stop,
        status,
        cooldown: Cooldown::new(webhook.cooldown),
        positions: None,
        stored_at: Instant::now(),
        store_now: false,
    };
    let mut pause = Backoff::new();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Err(error) = notifier.read(cluster).await else {
            break; // stopped
        };
        if started.elapsed() > PAUSE_MAX {
            pause.reset();
        }
        let delay = pause.next_delay();
        tracing::warn!("alerts cannot be read: {error:#}; trying again in {delay:?}");
        status.away(format!("alerts cannot be read: {error:#}"));
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stop.cancelled() => {}
        }
    }
    status.ended();
}

struct Notifier<'a> {
    webhook: &'a Webhook,
    stop: &'a CancellationToken,
    status: &'a NotifyStatus,
    cooldown: Cooldown,
    /// By partition; `None` before the first connection.
    positions: Option<BTreeMap<u32, Position>>,
    stored_at: Instant,
    /// A message went out since: what comes after it must not bring it again.
    store_now: bool,
}

/// How far one partition is.
#[derive(Clone, Copy)]
struct Position {
    /// The next alert.
    next: i64,
    /// The last one that the cluster knows to be done with; -1: none.
    stored: i64,
}

impl Position {
    /// The cluster does not know it yet.
    fn at(next: i64) -> Self {
        Self { next, stored: -1 }
    }
}

impl Notifier<'_> {
    /// Reads alerts and tells of them until `stop`.
    async fn read(&mut self, cluster: &Cluster) -> Result<()> {
        let client = cluster.connect().await?;
        if self.positions.is_none() {
            self.positions = Some(self.recover(&client).await?);
        }
        let mut readers = Vec::new();
        for (&partition, position) in self.positions.iter_mut().flatten() {
            let log = reader::offsets(&client, TOPIC, partition).await?;
            // Retention may have been faster, or the topic is another one of the same name.
            if !(log.start..=log.end).contains(&position.next) {
                tracing::warn!(partition, "the position is not in the topic any more");
                *position = Position::at(log.end);
            }
            let reader = PlainReader::open(&client, TOPIC, partition, position.next).await?;
            readers.push((partition, reader));
        }
        self.status.reading();
        let mut timer = tokio::time::interval(STORE_INTERVAL);
        loop {
            let next = readers.iter_mut().map(|(partition, reader)| {
                Box::pin(async move { (*partition, reader.next().await) })
            });
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    self.store(&client).await;
                    return Ok(());
                }
                ((partition, records), ..) = select_all(next) => {
                    for record in records? {
                        if !self.handle(&record).await {
                            self.store(&client).await;
                            return Ok(());
                        }
                        self.done(partition, record.offset);
                        if self.store_now || self.stored_at.elapsed() > STORE_INTERVAL {
                            self.store(&client).await;
                        }
                    }
                }
                _ = timer.tick() => self.store(&client).await,
            }
        }
    }

    /// Where an earlier process was, and whom it told.
    async fn recover(&mut self, client: &Client) -> Result<BTreeMap<u32, Position>> {
        let partitions = topic::partition_count(client, TOPIC).await?;
        let stored = consumer_offset::stored(client, CONSUMER_ID, TOPIC)
            .await
            .context("the cluster does not say how far this consumer is")?;
        let mut positions = BTreeMap::new();
        for partition in 0..partitions {
            let log = reader::offsets(client, TOPIC, partition).await?;
            let position = match stored.get(&partition) {
                Some(&last) if (log.start..=log.end).contains(&(last + 1)) => Position {
                    next: last + 1,
                    stored: last,
                },
                Some(&last) => Position::at((last + 1).clamp(log.start, log.end)),
                None => Position::at(log.end),
            };
            self.look_back(client, partition, log.start, position.next)
                .await?;
            positions.insert(partition, position);
        }
        Ok(positions)
    }

    /// Shows the alerts of the window before `end` to the cooldown.
    async fn look_back(
        &mut self,
        client: &Client,
        partition: u32,
        start: i64,
        end: i64,
    ) -> Result<()> {
        let since_ms = now_ms() - millis(self.webhook.cooldown);
        let mut handled = Vec::new();
        let mut from = end;
        for _ in 0..LOOK_BACK_STEPS_MAX {
            let to = from;
            from = start.max(to - LOOK_BACK_RECORDS);
            if from >= to {
                break;
            }
            let records = reader::read_range(client, TOPIC, partition, from..to).await?;
            let older = records.iter().any(|record| record.timestamp_ms < since_ms);
            handled.push(records);
            if older {
                break;
            }
        }
        for record in handled.into_iter().rev().flatten() {
            if record.timestamp_ms >= since_ms
                && let Ok(alert) = Alert::read(&record)
                && alert.severity >= self.webhook.min_severity
            {
                self.cooldown
                    .handled_before(&alert.coin, alert.severity, record.timestamp_ms);
            }
        }
        Ok(())
    }

    /// Does what an alert calls for; false when it was stopped before that was done.
    async fn handle(&mut self, record: &Record) -> bool {
        let alert = match Alert::read(record) {
            Ok(alert) => alert,
            Err(error) => {
                tracing::warn!(offset = record.offset, "no alert: {error:#}");
                self.status.count(Outcome::Unreadable);
                return true;
            }
        };
        if alert.severity < self.webhook.min_severity {
            self.status.count(Outcome::Mild);
            return true;
        }
        if is_stale(record) {
            self.status.count(Outcome::Stale);
            return true;
        }
        let verdict = self.cooldown.judge(&alert.coin, alert.severity, now_ms());
        let Verdict::Tell { suppressed } = verdict else {
            self.status.count(Outcome::Suppressed);
            return true;
        };
        let body = match self.webhook.body(&alert, suppressed) {
            Ok(body) => body,
            Err(error) => {
                tracing::warn!(offset = record.offset, "no message can be made: {error:#}");
                self.status.count(Outcome::Unreadable);
                return true;
            }
        };
        let Some(outcome) = self.deliver(record, &alert, body).await else {
            return false;
        };
        self.status.count(outcome);
        if outcome != Outcome::Stale {
            self.cooldown.told(&alert.coin, alert.severity, now_ms());
            self.store_now = true;
        }
        true
    }

    /// Posts a message until that has an outcome; `None`: it was stopped before.
    async fn deliver(&self, record: &Record, alert: &Alert, body: String) -> Option<Outcome> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .without_max_times()
            .with_jitter()
            .build();
        loop {
            let started = Instant::now();
            let attempt = self.webhook.post(&alert.id, body.clone()).await;
            let took = started.elapsed();
            let (what, retry_after) = match attempt {
                Ok(()) => {
                    self.status.attempted(Attempt::Ok, took, None);
                    tracing::info!(alert = alert.id, "told");
                    return Some(Outcome::Delivered);
                }
                Err(Failure::Refused { what }) => {
                    tracing::error!(alert = alert.id, "{what}: the message is dropped");
                    self.status.attempted(Attempt::Refused, took, Some(what));
                    return Some(Outcome::Refused);
                }
                Err(Failure::Passing { what, retry_after }) => (what, retry_after),
            };
            let pause = pauses.next().unwrap_or(PAUSE_MAX);
            let pause = retry_after.map_or(pause, |asked| asked.max(pause));
            tracing::warn!(alert = alert.id, "{what}; trying again in {pause:?}");
            self.status.attempted(Attempt::Failed, took, Some(what));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return None,
            }
            if is_stale(record) {
                return Some(Outcome::Stale);
            }
        }
    }

    fn done(&mut self, partition: u32, offset: i64) {
        if let Some(positions) = &mut self.positions
            && let Some(position) = positions.get_mut(&partition)
        {
            position.next = offset + 1;
        }
    }

    /// Stores positions that the cluster does not know. A failure shows when the next alert is read.
    async fn store(&mut self, client: &Client) {
        for (&partition, position) in self.positions.iter_mut().flatten() {
            let last = position.next - 1;
            if last <= position.stored {
                continue;
            }
            match consumer_offset::store(client, CONSUMER_ID, TOPIC, partition, last).await {
                Ok(()) => position.stored = last,
                Err(error) => tracing::debug!(partition, "position not stored: {error:#}"),
            }
        }
        self.stored_at = Instant::now();
        self.store_now = false;
    }
}

fn is_stale(record: &Record) -> bool {
    now_ms() - record.timestamp_ms > millis(AGE_MAX)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, millis)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
