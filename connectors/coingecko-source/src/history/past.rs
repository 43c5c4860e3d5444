//! How far crypto-raw is: what it holds decides what is missing.

use std::collections::HashMap;

use bytes::Bytes;
use connector_runtime::backoff::Backoff;
use connector_runtime::cluster::Client;
use connector_runtime::reader::{self, ReadError};
use connector_runtime::record::{Outgoing, Record};
use market::CleanParams;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::append::Target;
use crate::partition::partition_of;
use crate::reply::{Coin, updated_ms};

/// How far a tick's time may be after its record's: crypto-clean rejects a later one.
pub(super) const AHEAD_MS_MAX: i64 = 300_000;

/// What crypto-raw holds, by partition and by coin.
#[derive(Debug)]
pub(crate) struct Past {
    partitions: Vec<Partition>,
    /// The newest time of each coin, where that is within the lateness: what is older does not matter.
    coins: HashMap<Bytes, i64>,
    lateness_ms: i64,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    newest_ms: Option<i64>,
    /// Its last record is one of history.
    ends_backfilled: bool,
}

impl Past {
    fn new(partitions: u32) -> Self {
        Self {
            partitions: vec![Partition::default(); partitions as usize],
            coins: HashMap::new(),
            lateness_ms: CleanParams::default().allowed_lateness_ms,
        }
    }

    /// Reads the topic back, by the lateness; also returns what was sent, oldest first. None when it was stopped.
    ///
    /// # Errors
    /// When the topic cannot be read and trying again cannot help.
    pub(crate) async fn read(
        target: &Target,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<(Self, Vec<Coin>)>> {
        let mut pause = Backoff::new();
        loop {
            let (error, transient) = match Self::try_read(target).await {
                Ok(read) => return Ok(Some(read)),
                Err(error) => error,
            };
            let error = error.context(format!("cannot read back what {} holds", target.topic));
            if !transient {
                return Err(error);
            }
            tracing::warn!("{error:#}; trying again");
            tokio::select! {
                () = tokio::time::sleep(pause.next_delay()) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    async fn try_read(target: &Target) -> Result<(Self, Vec<Coin>), (anyhow::Error, bool)> {
        let client = target.cluster.connect().await.map_err(|error| {
            let transient = error.is_transient();
            (error.into(), transient)
        })?;
        let (mut past, mut sent) = (Self::new(target.partitions), Vec::new());
        for partition in 0..target.partitions {
            let records = recent(&client, &target.topic, partition, past.lateness_ms).await;
            let records = records.map_err(|error| {
                let transient = error.is_transient();
                (error.into(), transient)
            })?;
            for record in records {
                let backfilled = is_backfilled(&record.value);
                let coin = Coin {
                    updated_ms: updated_ms(&record.value)
                        .filter(|time| *time <= record.timestamp_ms + AHEAD_MS_MAX),
                    record: Outgoing {
                        key: record.key,
                        value: record.value,
                    },
                };
                past.take(
                    partition,
                    coin.record.key.as_ref(),
                    coin.updated_ms,
                    backfilled,
                );
                sent.push(coin);
            }
        }
        Ok((past, sent))
    }

    /// Takes a live record that is sent now.
    pub(crate) fn sent(&mut self, coin: &Coin, now_ms: i64) {
        let partition = partition_of(coin.record.key.as_deref(), self.partitions.len() as u32);
        let updated_ms = coin
            .updated_ms
            .filter(|time| *time <= now_ms + AHEAD_MS_MAX);
        self.take(partition, coin.record.key.as_ref(), updated_ms, false);
    }

    fn take(
        &mut self,
        partition: u32,
        key: Option<&Bytes>,
        updated_ms: Option<i64>,
        backfilled: bool,
    ) {
        let held = &mut self.partitions[partition as usize];
        held.newest_ms = held.newest_ms.max(updated_ms);
        held.ends_backfilled = backfilled;
        if let (Some(key), Some(time)) = (key, updated_ms) {
            let newest = self.coins.entry(key.clone()).or_insert(time);
            *newest = time.max(*newest);
        }
    }

    /// Frees what does not matter any more.
    pub(super) fn forget(&mut self) {
        let partitions = &self.partitions;
        self.coins.retain(|key, time| {
            let partition = partition_of(Some(key), partitions.len() as u32);
            let newest_ms = partitions[partition as usize].newest_ms;
            newest_ms.is_none_or(|newest_ms| *time >= newest_ms - self.lateness_ms)
        });
    }

    /// The newest time of any coin.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.partitions
            .iter()
            .filter_map(|held| held.newest_ms)
            .max()
    }

    /// Whether filling ended before what is live came after it.
    pub(crate) fn ends_halfway(&self) -> bool {
        self.partitions.iter().any(|held| held.ends_backfilled)
    }

    /// Whether it ended so in a coin's partition.
    pub(super) fn is_halfway(&self, key: &Bytes) -> bool {
        self.partition(key).ends_backfilled
    }

    fn partition(&self, key: &Bytes) -> &Partition {
        let partition = partition_of(Some(key), self.partitions.len() as u32);
        &self.partitions[partition as usize]
    }

    /// From when on a coin's ticks are newer than what there is of it, and not late; none: nothing is in the way.
    pub(super) fn missing_from_ms(&self, key: &Bytes) -> Option<i64> {
        let newest_ms = self.partition(key).newest_ms?;
        let not_late = newest_ms - self.lateness_ms;
        let newer = self.coins.get(key).map_or(i64::MIN, |time| time + 1);
        Some(newer.max(not_late))
    }

    /// The newest time of a coin, where that is within the lateness.
    pub(super) fn newest_of(&self, key: &Bytes) -> Option<i64> {
        self.coins.get(key).copied()
    }
}

/// The records of a partition that may hold times within the lateness of the newest.
async fn recent(
    client: &Client,
    topic: &str,
    partition: u32,
    lateness_ms: i64,
) -> Result<Vec<Record>, ReadError> {
    let log = reader::offsets(client, topic, partition).await?;
    let Some(tail) = reader::read_tail(client, topic, partition).await? else {
        return Ok(Vec::new());
    };
    let reach_ms = lateness_ms + AHEAD_MS_MAX;
    let since_ms = tail.timestamp_ms - reach_ms;
    let read =
        |since_ms| reader::read_recent(client, topic, partition, log.start, log.end, since_ms);
    let records = read(since_ms).await?;
    // What came last may be old already: then older records matter.
    let times = records
        .iter()
        .filter_map(|record| updated_ms(&record.value));
    match times.max().map(|newest_ms| newest_ms - reach_ms) {
        Some(needed_ms) if needed_ms < since_ms => read(needed_ms).await,
        _ => Ok(records),
    }
}

fn is_backfilled(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Object {
        #[serde(default)]
        backfilled: bool,
    }
    json.starts_with(b"{")
        && serde_json::from_slice::<Object>(json).is_ok_and(|object| object.backfilled)
}
