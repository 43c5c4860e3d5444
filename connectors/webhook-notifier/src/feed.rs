//! Reports to a receiver when nothing new comes from CoinGecko, and when it does again.
//!
//! Two consumers' offsets of crypto-clean remember what was reported: the newest tick of each partition when silence was reported,
//! and when all was well. As long as no partition has a newer tick in the second, the end of that silence is still to be reported.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use connector_runtime::cluster::consumer_offset;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, Arrivals};
use connector_runtime::record::Record;
use connector_runtime::topic::partition_count;
use market::Feed;
use market::names::topic;
use serde::Deserialize;
use tokio::time::Instant;

use crate::delivery::{Delivery, millis};
use crate::message::Message;
use crate::status::Outcome;

/// The topic of what is new.
pub(crate) const TOPIC: &str = topic::CLEAN;
/// How often the feed is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// A clock that goes ahead by so much more than the machine was awake: it slept, or the clock was set.
const SLEEP_MIN: Duration = Duration::from_secs(300);
/// How far back the first look goes, to learn the poll interval.
const LOOK_BACK: Duration = Duration::from_secs(2 * 3600);

/// Whether the source fills in the past, during which nothing new comes.
pub type Backfilling = dyn Fn() -> bool + Send + Sync;

/// Watches the feed for one receiver.
pub(crate) struct FeedWatch<'a> {
    delivery: Delivery<'a>,
    backfilling: &'a Backfilling,
    /// Under which the newest tick is stored when all is well.
    well: String,
    /// Under which the newest tick is stored when silence was reported.
    silent: String,
    feed: Feed,
    arrivals: Arrivals,
    /// `None` before the first look.
    reported: Option<Reported>,
    watched: Watched,
}

/// What the receiver knows.
#[derive(Clone, Copy)]
struct Reported {
    /// When the silence began that was reported and whose end was not.
    silent_since_ms: Option<i64>,
    /// Whether the cluster has stored it.
    stored: bool,
}

impl<'a> FeedWatch<'a> {
    /// `consumer` is the receiver's consumer id.
    pub(crate) fn new(
        delivery: Delivery<'a>,
        backfilling: &'a Backfilling,
        consumer: &str,
    ) -> Self {
        Self {
            delivery,
            backfilling,
            well: consumer.to_owned(),
            // No receiver's name has a dot.
            silent: format!("{consumer}.silence"),
            feed: Feed::default(),
            arrivals: Arrivals::default(),
            reported: None,
            watched: Watched::default(),
        }
    }

    /// Watches until stopped. What is away is looked for again: whoever reads alerts reports it.
    pub(crate) async fn run(mut self, cluster: &Cluster) {
        let mut timer = tokio::time::interval(LOOK_INTERVAL);
        let clock = self.delivery.clock;
        let mut client = None;
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                // A simulated clock may be faster than the machine's.
                () = clock.reaches(clock.instant() + LOOK_INTERVAL) => {}
                () = self.delivery.stop.cancelled() => return,
            }
            if client.is_none() {
                client = cluster.connect().await.ok();
            }
            let Some(connected) = &client else {
                // From a cluster that is away nothing can come.
                self.watched = Watched::default();
                continue;
            };
            if let Err(error) = self.look(connected).await {
                tracing::debug!("the feed cannot be looked at: {error:#}");
                client = None;
            }
        }
    }

    async fn look(&mut self, client: &Client) -> Result<()> {
        // Before reading: what arrives meanwhile, or while the machine sleeps, is no silence.
        let (now, awake) = (self.delivery.now_ms(), self.delivery.clock.instant());
        self.read(client, now).await?;
        let silence = self.feed.silent_for(now);
        let Some(newest_ms) = self.feed.newest_ms() else {
            return Ok(());
        };
        let mut reported = match self.reported {
            Some(reported) => reported,
            None => self.recover(client).await?,
        };
        if (self.backfilling)() {
            // The source has no time to poll, as while the machine sleeps.
            self.watched = Watched::default();
        }
        let is_watched = self
            .watched
            .for_longer_than(self.feed.patience(), now, awake);
        let (message, silent_since_ms) = match (silence, reported.silent_since_ms) {
            (Some(silence), None) if is_watched => {
                let message = Message::silent(newest_ms, silence, now);
                (Some(message), Some(newest_ms))
            }
            (None, Some(since_ms)) => (Some(Message::flowing(since_ms, newest_ms)), None),
            (_, unchanged) => (None, unchanged),
        };
        if let Some(message) = message
            && self.report(&message, now).await
        {
            reported = Reported {
                silent_since_ms,
                stored: false,
            };
        }
        self.reported = Some(reported);
        if !reported.stored {
            let consumer = match reported.silent_since_ms {
                Some(_) => &self.silent,
                None => &self.well,
            };
            let stored = self.store(client, consumer).await?;
            self.reported = Some(Reported { stored, ..reported });
        }
        Ok(())
    }

    /// What an earlier process reported.
    async fn recover(&self, client: &Client) -> Result<Reported> {
        let silent = consumer_offset::stored(client, &self.silent, TOPIC).await?;
        let well = consumer_offset::stored(client, &self.well, TOPIC).await?;
        let is_over = well
            .iter()
            .any(|(partition, well)| silent.get(partition).is_none_or(|silent| well > silent));
        let silent_since_ms = match is_over {
            true => None,
            false => self.newest_of(client, &silent).await?,
        };
        Ok(Reported {
            silent_since_ms,
            stored: silent_since_ms.is_some() || !well.is_empty(),
        })
    }

    /// When the newest of these ticks came; none: the topic is another one of the same name.
    async fn newest_of(&self, client: &Client, ticks: &BTreeMap<u32, i64>) -> Result<Option<i64>> {
        let (mut newest_ms, mut evicted) = (None, false);
        for (&partition, &offset) in ticks {
            let log = reader::offsets(client, TOPIC, partition).await?;
            if offset < log.start {
                evicted = true;
            } else if offset < log.end {
                let tick = reader::read_range(client, TOPIC, partition, offset..offset + 1).await?;
                newest_ms = newest_ms.max(tick.first().map(|tick| tick.timestamp_ms));
            }
        }
        // Nobody knows any more when those came that retention took.
        let unknown_ms = evicted.then(|| self.delivery.now_ms());
        Ok(newest_ms.or(unknown_ms))
    }

    /// Whether the message has an outcome: one that is refused is not sent again.
    async fn report(&self, message: &Message, now: i64) -> bool {
        let outcome = self.delivery.deliver(message, now).await;
        matches!(outcome, Some(Outcome::Delivered | Outcome::Refused))
    }

    /// Reads what arrived since the last look, at `now`.
    async fn read(&mut self, client: &Client, now: i64) -> Result<()> {
        let partitions = partition_count(client, TOPIC).await?;
        let since_ms = now - millis(LOOK_BACK);
        let arrived = self
            .arrivals
            .look(client, TOPIC, partitions, since_ms)
            .await?;
        for record in arrived {
            if !is_backfilled(&record) {
                self.feed.arrived(record.timestamp_ms);
            }
        }
        // Where nothing ever came, silence begins now.
        self.feed.awaited(now);
        Ok(())
    }

    /// Stores how far each partition that holds ticks is; false where there is none.
    async fn store(&self, client: &Client, consumer: &str) -> Result<bool> {
        let mut stored = false;
        for (&partition, &next) in self.arrivals.positions() {
            let log = reader::offsets(client, TOPIC, partition).await?;
            if log.start < next {
                consumer_offset::store(client, consumer, TOPIC, partition, next - 1).await?;
                stored = true;
            }
        }
        Ok(stored)
    }
}

/// Since when there have been looks without a sleep between them.
#[derive(Default)]
struct Watched {
    /// In milliseconds since the epoch.
    since_ms: Option<i64>,
    /// When the last look was, by a clock that can be set and by one that stands still while the machine sleeps.
    looked: Option<(i64, Instant)>,
}

impl Watched {
    /// Looks at `now`. What is started or wakes up may need this long to bring something, as its source does.
    fn for_longer_than(&mut self, patience: Duration, now: i64, awake: Instant) -> bool {
        let slept = self.looked.is_some_and(|(looked_ms, looked)| {
            now - looked_ms - millis(awake - looked) >= millis(SLEEP_MIN)
        });
        self.looked = Some((now, awake));
        // A clock that was ahead and is set right says nothing of how long.
        let known = self.since_ms.filter(|since_ms| !slept && *since_ms <= now);
        let since_ms = *self.since_ms.insert(known.unwrap_or(now));
        now - since_ms > millis(patience)
    }
}

/// Whether a tick comes from a coin's history, which says nothing about what comes from CoinGecko now.
fn is_backfilled(record: &Record) -> bool {
    #[derive(Deserialize)]
    struct Tick {
        #[serde(default)]
        backfilled: bool,
    }
    let tick = serde_json::from_slice::<Tick>(&record.value);
    tick.is_ok_and(|tick| tick.backfilled)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_MS: i64 = 1_000;
    const PATIENCE: Duration = Duration::from_secs(600);

    #[test]
    fn a_sleep_is_no_silence_and_time_that_passes_is() {
        let mut watched = Watched::default();
        let start = 1_700_000_000_000;
        let mut awake = Instant::now();
        // However far apart looks are.
        let mut looks = |from: i64, secs: i64, every: u64| {
            let mut seen = false;
            for second in (from..=from + secs).step_by(every as usize) {
                awake += Duration::from_secs(every);
                seen |= watched.for_longer_than(PATIENCE, start + second * SECOND_MS, awake);
            }
            seen
        };
        assert!(!looks(0, 600, 10));
        assert!(looks(610, 0, 10));
        // Awake for half a minute after eight hours: the source has had no time to poll.
        let hours = 8 * 3_600;
        assert!(!looks(hours, 30, 10));
        assert!(!looks(2 * hours, 600, 10));
        assert!(looks(2 * hours + 610, 0, 10));
        assert!(!looks(3 * hours, 600, 300));
        assert!(looks(3 * hours + 900, 0, 300));
        // The clock was three hours ahead.
        assert!(!looks(0, 600, 10));
        assert!(looks(610, 0, 10));
    }
}
