//! What arrived in a topic since somebody last looked.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::error::ReadError;
use super::range::{offsets, read_tail};
use super::recent::read_recent;
use crate::cluster::Client;
use crate::record::Record;

/// Follows a topic by looking at it now and then. A look that fails has not happened: the next one brings its records.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// The next record of each partition; empty before the first look.
    positions: BTreeMap<u32, i64>,
}

impl Arrivals {
    /// The records since the last look, by their timestamps; at most some 50,000 of a partition. The first look finds those with a
    /// timestamp from `since_ms` (milliseconds since the epoch) on, and the newest of a partition that has none of them.
    ///
    /// # Errors
    /// As [`offsets`] and [`read_recent`].
    pub fn look<'a>(
        &'a mut self,
        client: &'a Client,
        topic: &'a str,
        partitions: u32,
        since_ms: i64,
    ) -> BoxFuture<'a, Result<Vec<Record>, ReadError>> {
        Box::pin(async move {
            let (mut arrived, mut positions) = (Vec::new(), BTreeMap::new());
            for partition in 0..partitions {
                let log = offsets(client, topic, partition).await?;
                let seen = self.positions.get(&partition).copied();
                let from = seen.unwrap_or(log.start).clamp(log.start, log.end);
                let since_ms = seen.map_or(since_ms, |_| i64::MIN);
                let recent = read_recent(client, topic, partition, from, log.end, since_ms).await?;
                if recent.is_empty() && seen.is_none() {
                    arrived.extend(read_tail(client, topic, partition).await?);
                }
                arrived.extend(recent);
                positions.insert(partition, log.end);
            }
            self.positions = positions;
            arrived.sort_by_key(|record| record.timestamp_ms);
            Ok(arrived)
        })
    }

    /// The next record of each partition, as of the last look.
    pub fn positions(&self) -> &BTreeMap<u32, i64> {
        &self.positions
    }
}
