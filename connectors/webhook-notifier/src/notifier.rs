//! Reads alerts and posts those that call for a message.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, PlainReader};
use connector_runtime::record::Record;
use connector_runtime::topic::partition_count;
use futures_util::future::{join_all, select_all};
use market::names::topic;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::cooldown::{Cooldown, Verdict};
use crate::delivery::{Delivery, millis};
use crate::feed::{self, FeedWatch};
use crate::message::Message;
use crate::receiver::Receiver;
use crate::status::Outcome;
use crate::subject::Subject;

/// The topic of alerts.
const TOPIC: &str = topic::ALERTS;
/// The position is stored after every message, and so often when there is nothing to tell.
const STORE_INTERVAL: Duration = Duration::from_secs(5);
/// After so long a connection was a good one.
const READING_LONG: Duration = Duration::from_secs(60);

/// Tells every receiver of alerts until `stop`, whatever is away meanwhile.
pub async fn run(cluster: &Cluster, receivers: &[Receiver], stop: &CancellationToken) {
    join_all(
        receivers
            .iter()
            .map(|receiver| tell(cluster, receiver, stop)),
    )
    .await;
}

async fn tell(cluster: &Cluster, receiver: &Receiver, stop: &CancellationToken) {
    let status = receiver.status();
    status.started();
    let consumer = format!("coinlake-{}", receiver.part());
    let delivery = Delivery {
        receiver,
        status: &status,
        stop,
        clock: cluster.clock(),
    };
    // What is stored about the feed tells a first start from others: it must not be stored before that is known.
    let recovered = Notify::new();
    let alerts = tell_alerts(cluster, delivery, &consumer, &recovered);
    let feed = async {
        tokio::select! {
            () = recovered.notified() => FeedWatch::new(delivery, &consumer).run(cluster).await,
            () = stop.cancelled() => {}
        }
    };
    tokio::join!(alerts, feed);
    status.ended();
}

async fn tell_alerts(
    cluster: &Cluster,
    delivery: Delivery<'_>,
    consumer: &str,
    recovered: &Notify,
) {
    let Delivery { status, stop, .. } = delivery;
    let mut notifier = Notifier {
        delivery,
        consumer,
        cooldown: Cooldown::default(),
        positions: None,
        stored_at: Instant::now(),
        store_now: false,
    };
    let mut pause = Backoff::new();
    while !stop.is_cancelled() {
        let started = Instant::now();
        let Err(error) = notifier.read(cluster, recovered).await else {
            break; // stopped
        };
        if started.elapsed() > READING_LONG {
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
}

struct Notifier<'a> {
    delivery: Delivery<'a>,
    /// Whose position the cluster stores.
    consumer: &'a str,
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

impl<'a> Notifier<'a> {
    fn receiver(&self) -> &'a Receiver {
        self.delivery.receiver
    }

    /// Reads alerts and tells of them until `stop`.
    async fn read(&mut self, cluster: &Cluster, recovered: &Notify) -> Result<()> {
        let client = cluster.connect().await?;
        if self.positions.is_none() {
            self.positions = Some(self.recover(&client).await?);
            recovered.notify_one();
        }
        let mut readers = Vec::new();
        for (&partition, position) in self.positions.iter_mut().flatten() {
            let log = reader::offsets(&client, TOPIC, partition).await?;
            // Retention may have been faster, or the topic is another one of the same name.
            if !(log.start..=log.end).contains(&position.next) {
                tracing::warn!(partition, "the position is not in the topic any more");
                *position = Position::at(position.next.clamp(log.start, log.end));
            }
            let reader = PlainReader::open(&client, TOPIC, partition, position.next).await?;
            readers.push((partition, reader));
        }
        self.delivery.status.reading();
        let mut timer = tokio::time::interval(STORE_INTERVAL);
        loop {
            let next = readers.iter_mut().map(|(partition, reader)| {
                Box::pin(async move { (*partition, reader.next().await) })
            });
            tokio::select! {
                biased;
                () = self.delivery.stop.cancelled() => {
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
        let partitions = partition_count(client, TOPIC).await?;
        let stored = consumer_offset::stored(client, self.consumer, TOPIC)
            .await
            .context("the cluster does not say how far this consumer is")?;
        // An earlier process may have met no alert to store a position of.
        let seen = consumer_offset::stored(client, self.consumer, feed::TOPIC).await?;
        let first_start = stored.is_empty() && seen.is_empty();
        let mut positions = BTreeMap::new();
        for partition in 0..partitions {
            let log = reader::offsets(client, TOPIC, partition).await?;
            let position = match stored.get(&partition) {
                Some(&last) if (log.start..=log.end).contains(&(last + 1)) => Position {
                    next: last + 1,
                    stored: last,
                },
                Some(&last) => Position::at((last + 1).clamp(log.start, log.end)),
                None if first_start => Position::at(log.end),
                None => Position::at(log.start),
            };
            self.look_back(client, partition, log.start, position.next)
                .await?;
            positions.insert(partition, position);
        }
        Ok(positions)
    }

    /// Shows the alerts of the longest window before `end` to the cooldown.
    async fn look_back(
        &mut self,
        client: &Client,
        partition: u32,
        start: i64,
        end: i64,
    ) -> Result<()> {
        let receiver = self.receiver();
        let longest = receiver.cooldown.max(receiver.rules.longest_repeat());
        let since_ms = self.delivery.now_ms().saturating_sub(millis(longest));
        let handled = reader::read_recent(client, TOPIC, partition, start, end, since_ms).await?;
        for record in handled {
            if let Ok(alert) = Alert::read(&record)
                && alert.severity >= receiver.min_severity
            {
                let at_ms = record.timestamp_ms;
                for subject in Subject::all_of(&alert) {
                    let window = subject.window(receiver);
                    self.cooldown
                        .handled_before(subject, window, &alert.sighting, at_ms);
                }
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
                self.delivery.status.count(Outcome::Unreadable);
                return true;
            }
        };
        if alert.severity < self.receiver().min_severity {
            self.delivery.status.count(Outcome::Mild);
            return true;
        }
        if self.delivery.is_stale(record.timestamp_ms) {
            self.delivery.status.count(Outcome::Stale);
            return true;
        }
        let verdict = self.cooldown.judge(
            Subject::all_of(&alert),
            &alert.sighting,
            self.delivery.now_ms(),
        );
        let Verdict::Tell {
            subjects,
            suppressed,
        } = verdict
        else {
            self.delivery.status.count(Outcome::Suppressed);
            return true;
        };
        let message = Message::alert(&alert, suppressed);
        let delivered = self.delivery.deliver(&message, record.timestamp_ms).await;
        let Some(outcome) = delivered else {
            return false;
        };
        self.delivery.status.count(outcome);
        if matches!(outcome, Outcome::Delivered | Outcome::Refused) {
            for subject in subjects {
                let window = subject.window(self.receiver());
                self.cooldown
                    .told(subject, window, &alert.sighting, self.delivery.now_ms());
            }
            self.store_now = true;
        }
        true
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
            match consumer_offset::store(client, self.consumer, TOPIC, partition, last).await {
                Ok(()) => position.stored = last,
                Err(error) => tracing::debug!(partition, "position not stored: {error:#}"),
            }
        }
        self.stored_at = Instant::now();
        self.store_now = false;
    }
}
