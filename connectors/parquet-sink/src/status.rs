//! How a running stage is doing: plain numbers that anyone may read at any time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state of a stage. Numbers count from the start of the process.
#[derive(Debug, Default)]
pub struct StageStatus {
    /// Inputs handled, those again after a restart included.
    pub records_read: AtomicU64,
    /// Outputs that no destination takes.
    pub ignored: AtomicU64,
    /// Rows that are not in a committed file yet.
    pub rows_uncommitted: AtomicU64,
    /// Commits so far.
    pub commits: AtomicU64,
    /// When the last commit was, milliseconds since the epoch; 0: none yet.
    pub last_commit_ms: AtomicI64,
    /// Held in files being built and outputs on their way.
    pub memory_bytes: AtomicU64,
    /// Times the stage had to begin again from its last commit.
    pub restarts: AtomicU64,
    by_destination: Mutex<BTreeMap<String, Arc<DestinationStatus>>>,
    by_partition: Mutex<BTreeMap<u32, Arc<PartitionStatus>>>,
}

/// What went to one destination.
#[derive(Debug, Default)]
pub struct DestinationStatus {
    /// Rows added to its layer, committed or not.
    pub rows: AtomicU64,
    /// Records its topic acknowledged.
    pub records: AtomicU64,
}

/// How far one input partition is.
#[derive(Debug)]
pub struct PartitionStatus {
    /// The last input whose outputs are in files being built and acknowledged by their topics; -1: none.
    pub input_offset: AtomicI64,
    /// The last input that is committed; -1: none.
    pub committed_offset: AtomicI64,
}

impl Default for PartitionStatus {
    fn default() -> Self {
        Self {
            input_offset: AtomicI64::new(-1),
            committed_offset: AtomicI64::new(-1),
        }
    }
}

impl StageStatus {
    /// A destination's numbers, by its routing value (or layer, when nothing routes).
    pub fn destination(&self, label: &str) -> Arc<DestinationStatus> {
        entry(&self.by_destination, label.to_owned())
    }

    /// All destinations seen so far.
    pub fn destinations(&self) -> BTreeMap<String, Arc<DestinationStatus>> {
        held(&self.by_destination).clone()
    }

    /// A partition's position.
    pub fn partition(&self, partition: u32) -> Arc<PartitionStatus> {
        entry(&self.by_partition, partition)
    }

    /// All partitions this stage reads.
    pub fn partitions(&self) -> BTreeMap<u32, Arc<PartitionStatus>> {
        held(&self.by_partition).clone()
    }

    /// How many inputs lie behind this stage, all its partitions together: the sum of its next offsets.
    pub fn next_input(&self) -> i64 {
        let partitions = held(&self.by_partition);
        let handled = partitions.values();
        handled
            .map(|p| p.input_offset.load(Ordering::Acquire) + 1)
            .sum()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section is one map operation: there is no half-done state behind a poisoned lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn entry<K: Ord, V: Default>(map: &Mutex<BTreeMap<K, Arc<V>>>, key: K) -> Arc<V> {
    held(map).entry(key).or_default().clone()
}
