//! Where consumers are: in memory to answer, in the store to remember.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use fluvio_protocol::link::ErrorCode;

use crate::metadata::store::{Store, StoreError, StoredOffset};

/// A consumer of one partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Consumer {
    topic: String,
    partition: u32,
    id: String,
}

impl Consumer {
    /// The consumer `id` of `topic`'s partition.
    pub(crate) fn new(topic: &str, partition: u32, id: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            id: id.to_owned(),
        }
    }

    /// The topic it consumes.
    pub(crate) fn topic(&self) -> &str {
        &self.topic
    }
}

/// All stored consumer offsets.
#[derive(Debug)]
pub(crate) struct Consumers {
    store: Arc<Store>,
    /// Offset of the last record done, and when that was stored, in seconds since the epoch.
    offsets: Mutex<BTreeMap<Consumer, (i64, u64)>>,
}

impl Consumers {
    /// Reads what is stored.
    pub(crate) fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let offsets = store.consumer_offsets()?.into_iter().map(|stored| {
            let consumer = Consumer::new(&stored.topic, stored.partition, &stored.consumer);
            (consumer, (stored.offset, stored.modified_secs))
        });
        Ok(Self {
            offsets: Mutex::new(offsets.collect()),
            store,
        })
    }

    /// The offset of the last record a consumer is done with.
    pub(crate) fn get(&self, consumer: &Consumer) -> Option<i64> {
        self.lock().get(consumer).map(|(offset, _)| *offset)
    }

    /// All of them, by topic, partition and id.
    pub(crate) fn all(&self) -> Vec<StoredOffset> {
        let offsets = self.lock();
        let stored = offsets
            .iter()
            .map(|(consumer, (offset, modified_secs))| StoredOffset {
                topic: consumer.topic.clone(),
                partition: consumer.partition,
                consumer: consumer.id.clone(),
                offset: *offset,
                modified_secs: *modified_secs,
            });
        stored.collect()
    }

    /// Stores an offset.
    pub(crate) async fn put(&self, consumer: Consumer, offset: i64) -> Result<(), ErrorCode> {
        let modified_secs = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let stored = StoredOffset {
            topic: consumer.topic.clone(),
            partition: consumer.partition,
            consumer: consumer.id.clone(),
            offset,
            modified_secs,
        };
        self.store
            .put_consumer_offset(stored)
            .await
            .map_err(failed)?;
        self.lock().insert(consumer, (offset, modified_secs));
        Ok(())
    }

    /// Forgets a consumer.
    pub(crate) async fn remove(&self, consumer: Consumer) -> Result<(), ErrorCode> {
        if self.get(&consumer).is_none() {
            return Err(ErrorCode::Other(format!(
                "consumer '{}' not found",
                consumer.id
            )));
        }
        let Consumer {
            topic,
            partition,
            id,
        } = consumer.clone();
        self.store
            .remove_consumer_offset(topic, partition, id)
            .await
            .map_err(failed)?;
        self.lock().remove(&consumer);
        Ok(())
    }

    /// Forgets all consumers of a topic; the store has forgotten them with the topic.
    pub(crate) fn forget_topic(&self, topic: &str) {
        self.lock().retain(|consumer, _| consumer.topic != topic);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Consumer, (i64, u64)>> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(error: StoreError) -> ErrorCode {
    tracing::error!("{error}");
    ErrorCode::StorageError
}
