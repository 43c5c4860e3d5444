//! The Data page's live tail: a topic's records as they come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use connector_runtime::record::Record;
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
    passed: Vec<Passed>,
    /// By partition, the next offset.
    next: BTreeMap<u32, i64>,
    #[serde(skip)]
    is_new: bool,
}

/// Records that the page is not sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Passed {
    partition: u32,
    /// The first of them.
    from: i64,
    count: i64,
    /// They are wanted, and more than a page can show; else it was away for so long that nobody looked at them.
    wanted: bool,
}

impl Batch {
    fn take_in(&mut self, partition: u32, records: &[Record], filter: &RecordFilter) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        self.is_new = true;
        if let Some(next) = self.next.insert(partition, last.offset + 1)
            && next < first.offset
        {
            self.pass(partition, next, first.offset - next, false);
        }
        for record in records.iter().filter(|record| filter.wants(record)) {
            if self.records.len() == BATCH_MAX
                && let Some(oldest) = self.records.pop_front()
            {
                self.pass(oldest.partition, oldest.offset, 1, true);
            }
            self.records.push_back(ShownRecord::new(partition, record));
        }
    }

    fn pass(&mut self, partition: u32, from: i64, count: i64, wanted: bool) {
        let is_same = |it: &&mut Passed| it.partition == partition && it.wanted == wanted;
        match self.passed.iter_mut().find(is_same) {
            Some(passed) => passed.count += count,
            None => self.passed.push(Passed {
                partition,
                from,
                count,
                wanted,
            }),
        }
    }
}

/// Reads what [`Batch`] says of offsets, as an address has it: `0:120,1:95`.
pub(crate) fn read_next(text: &str) -> BTreeMap<u32, i64> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once(':'));
    let pairs =
        pairs.filter_map(|(number, offset)| Some((number.parse().ok()?, offset.parse().ok()?)));
    pairs.collect()
}

impl Tail {
    /// Follows the records that are wanted of a topic, or of one of its partitions; from `next` on, of a page that was here before.
    pub(crate) fn start(
        shared: &Shared,
        topic: String,
        partition: Option<u32>,
        filter: RecordFilter,
        next: BTreeMap<u32, i64>,
    ) -> Self {
        let batch = Arc::new(Mutex::new(Batch {
            next: next.clone(),
            ..Batch::default()
        }));
        let follow = Follow {
            cluster: shared.cluster.clone(),
            topic,
            back: BACK,
            next,
        };
        let filled = Arc::clone(&batch);
        let task = tokio::spawn(follow.run(move |number, records| {
            if partition.is_none_or(|partition| partition == number) {
                filled.lock().take_in(number, records, &filter);
            }
        }));
        Self {
            batch,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// What came since the last call; `None` for nothing.
    pub(crate) fn take(&self) -> Option<Batch> {
        let mut batch = self.batch.lock();
        let next = batch.next.clone();
        let taken = std::mem::replace(
            &mut *batch,
            Batch {
                next,
                ..Batch::default()
            },
        );
        taken.is_new.then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(offsets: std::ops::Range<i64>) -> Vec<Record> {
        let record = |offset| Record {
            offset,
            timestamp_ms: 0,
            key: None,
            value: format!("{}", offset % 2).into(),
        };
        offsets.map(record).collect()
    }

    #[test]
    fn what_is_passed_over_is_known() {
        let mut batch = Batch {
            next: read_next("0:10,1:5,broken"),
            ..Batch::default()
        };
        let all = RecordFilter::new("", "");
        batch.take_in(0, &records(10..20), &all);
        batch.take_in(1, &records(5..6), &all);
        assert!(batch.passed.is_empty() && batch.records.len() == 11);
        // As after a long pause, then more than a page can show.
        batch.take_in(0, &records(500..600), &all);
        batch.take_in(1, &records(6..106), &all);
        assert_eq!(batch.records.len(), BATCH_MAX);
        let passed = |partition, from, count, wanted| Passed {
            partition,
            from,
            count,
            wanted,
        };
        assert_eq!(
            batch.passed,
            [
                passed(0, 20, 480, false),
                passed(0, 10, 10, true),
                passed(1, 5, 1, true)
            ]
        );
        assert_eq!(batch.next, BTreeMap::from([(0, 600), (1, 106)]));
    }
}
