//! Reports to a receiver when nothing new comes from CoinGecko, and when it does again.
//!
//! Two consumer offsets of crypto-clean remember what was reported: the newest tick when silence was reported, and the newest
//! tick when all was well. As long as the first is not below the second, the end of that silence is still to be reported.

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

use crate::delivery::{Delivery, millis};
use crate::message::Message;
use crate::status::Outcome;

/// The topic of what is new.
pub(crate) const TOPIC: &str = topic::CLEAN;
/// How often the feed is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How far back the first look goes, to learn the poll interval.
const LOOK_BACK: Duration = Duration::from_secs(2 * 3600);

/// Watches the feed for one receiver.
pub(crate) struct FeedWatch<'a> {
    delivery: Delivery<'a>,
    /// Under which the newest tick is stored when all is well.
    well: String,
    /// Under which the newest tick is stored when silence was reported.
    silent: String,
    feed: Feed,
    arrivals: Arrivals,
    /// `None` before the first look.
    reported: Option<Reported>,
    /// When the first look was, after which the source may need its time to start, too.
    watched_since_ms: Option<i64>,
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
    pub(crate) fn new(delivery: Delivery<'a>, consumer: &str) -> Self {
        Self {
            delivery,
            well: consumer.to_owned(),
            silent: format!("{consumer}-silence"),
            feed: Feed::default(),
            arrivals: Arrivals::default(),
            reported: None,
            watched_since_ms: None,
        }
    }

    /// Watches until stopped. What is away is looked for again: whoever reads alerts reports it.
    pub(crate) async fn run(mut self, cluster: &Cluster) {
        let mut timer = tokio::time::interval(LOOK_INTERVAL);
        let mut client = None;
        loop {
            tokio::select! {
                _ = timer.tick() => {}
                () = self.delivery.stop.cancelled() => return,
            }
            if client.is_none() {
                client = cluster.connect().await.ok();
            }
            let Some(connected) = &client else { continue };
            if let Err(error) = self.look(connected).await {
                tracing::debug!("the feed cannot be looked at: {error:#}");
                client = None;
            }
        }
    }

    async fn look(&mut self, client: &Client) -> Result<()> {
        // Before reading: what arrives meanwhile, or while the machine sleeps, is no silence.
        let now = self.delivery.now_ms();
        self.read(client, now).await?;
        let Some(newest_ms) = self.feed.newest_ms() else {
            return Ok(());
        };
        let mut reported = match self.reported {
            Some(reported) => reported,
            None => self.recover(client).await?,
        };
        let since_ms = *self.watched_since_ms.get_or_insert(now);
        let is_watched = now - since_ms > millis(self.feed.patience());
        let (message, silent_since_ms) = match (self.feed.silent_for(now), reported.silent_since_ms)
        {
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
        let unended = silent.iter().find(|(partition, silent)| {
            let well = well.get(partition);
            well.is_none_or(|well| well <= silent)
        });
        let silent_since_ms = match unended {
            None => None,
            Some((&partition, &offset)) => {
                let last = reader::read_range(client, TOPIC, partition, offset..offset + 1).await;
                // Retention may have taken it.
                let last = last.ok().and_then(|records| records.first().cloned());
                Some(last.map_or_else(|| self.delivery.now_ms(), |record| record.timestamp_ms))
            }
        };
        Ok(Reported {
            silent_since_ms,
            stored: silent_since_ms.is_some() || !well.is_empty(),
        })
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
        if self.feed.newest_ms().is_none() {
            // Where nothing ever came, silence begins now.
            self.feed.arrived(now);
        }
        Ok(())
    }

    /// Stores how far the first partition with ticks is; false where there is none.
    async fn store(&self, client: &Client, consumer: &str) -> Result<bool> {
        let mut positions = self.arrivals.positions().iter();
        let first = positions.find(|(_, next)| **next > 0);
        let Some((&partition, &next)) = first else {
            return Ok(false);
        };
        consumer_offset::store(client, consumer, TOPIC, partition, next - 1).await?;
        Ok(true)
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
