//! The Data page's live tail: a topic's records as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::task::AbortOnDropHandle;

use crate::api::records::{RecordFilter, ShownRecord};
use crate::shared::Shared;
use crate::watch::Follow;

/// A page keeps no more, and gets no more at once.
const BATCH_MAX: usize = 200;
/// What a tail starts with, of each partition.
const BACK: i64 = 20;

/// Follows a topic until it is dropped.
pub(crate) struct Tail {
    batch: Arc<Mutex<Batch>>,
    _task: AbortOnDropHandle<()>,
}

/// What came since the page was sent something.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Batch {
    /// The newest last.
    records: VecDeque<ShownRecord>,
    /// More came than a page can show.
    skipped: u64,
}

impl Tail {
    /// Follows the records that are wanted of a topic, or of one of its partitions.
    pub(crate) fn start(
        shared: &Shared,
        topic: String,
        partition: Option<u32>,
        filter: RecordFilter,
    ) -> Self {
        let batch = Arc::<Mutex<Batch>>::default();
        let follow = Follow {
            cluster: shared.cluster.clone(),
            topic,
            back: BACK,
        };
        let filled = Arc::clone(&batch);
        let task = tokio::spawn(follow.run(move |number, records| {
            if partition.is_some_and(|partition| partition != number) {
                return;
            }
            let mut batch = filled.lock();
            for record in records.iter().filter(|record| filter.wants(record)) {
                if batch.records.len() == BATCH_MAX {
                    batch.records.pop_front();
                    batch.skipped += 1;
                }
                batch.records.push_back(ShownRecord::new(number, record));
            }
        }));
        Self {
            batch,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What came since the last call; `None` for nothing.
    pub(crate) fn take(&self) -> Option<Batch> {
        let batch = std::mem::take(&mut *self.batch.lock());
        (!batch.records.is_empty()).then_some(batch)
    }
}
