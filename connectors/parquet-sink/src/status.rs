//! How a running stage is doing: plain numbers that anyone can read at any time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use connector_runtime::cluster::ClusterHealth;
use connector_runtime::process::monitor::Observed;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The state of a stage. Numbers count from the start of the process; a restarted partition counts its inputs again.
#[derive(Debug, Default)]
pub struct StageStatus {
    /// Inputs handled.
    pub records_read: AtomicU64,
    /// Outputs that go nowhere: of a status that `ignore` lists, or duplicates.
    pub ignored: AtomicU64,
    /// Rows that are not committed yet.
    pub rows_uncommitted: AtomicU64,
    /// Number of commits.
    pub commits: AtomicU64,
    /// When the last commit was made, in milliseconds since the epoch; 0 before the first.
    pub last_commit_ms: AtomicI64,
    /// Memory of files being built and outputs waiting for their topic.
    pub memory_bytes: AtomicU64,
    /// How many times a partition restarted from its last commit.
    pub restarts: AtomicU64,
    by_destination: Mutex<BTreeMap<String, Arc<DestinationStatus>>>,
    by_partition: Mutex<BTreeMap<u32, Arc<PartitionStatus>>>,
    pub(crate) cluster_health: ClusterHealth,
    commit_asked: Notify,
    /// What is wrong at the moment, by the part of the stage that reports it.
    trouble: Mutex<BTreeMap<String, String>>,
    /// Why it ended.
    ended: Mutex<Option<String>>,
}

/// What went to one destination.
#[derive(Debug, Default)]
pub struct DestinationStatus {
    /// Rows added to its table, committed or not.
    pub rows: AtomicU64,
    /// Records its topic acknowledged.
    pub records: AtomicU64,
}

/// The position in one input partition.
#[derive(Debug)]
pub struct PartitionStatus {
    /// The last input whose outputs are in files being built and acknowledged by their topics; -1 before the first.
    pub input_offset: AtomicI64,
    /// The last committed input; -1 before the first.
    pub committed_offset: AtomicI64,
    /// When the oldest row came that is not committed yet, milliseconds since the epoch; 0 where all are.
    pub oldest_row_ms: AtomicI64,
    /// The stream is open, and the module's state is what it was at the last commit.
    pub open: AtomicBool,
}

impl PartitionStatus {
    /// The next input to handle.
    pub fn next_input(&self) -> i64 {
        self.input_offset.load(Ordering::Acquire) + 1
    }
}

impl Default for PartitionStatus {
    fn default() -> Self {
        Self {
            input_offset: AtomicI64::new(-1),
            committed_offset: AtomicI64::new(-1),
            oldest_row_ms: AtomicI64::new(0),
            open: AtomicBool::new(false),
        }
    }
}

impl StageStatus {
    /// A destination's numbers, by its label.
    pub fn destination(&self, label: &str) -> Arc<DestinationStatus> {
        entry(&self.by_destination, label.to_owned())
    }

    /// All destinations seen so far.
    pub fn destinations(&self) -> BTreeMap<String, Arc<DestinationStatus>> {
        self.by_destination.lock().clone()
    }

    /// A partition's position.
    pub fn partition(&self, partition: u32) -> Arc<PartitionStatus> {
        entry(&self.by_partition, partition)
    }

    /// Notes which partitions the stage reads from now on.
    pub(crate) fn reads(&self, partitions: &[u32]) {
        let mut by_partition = self.by_partition.lock();
        by_partition.retain(|partition, _| partitions.contains(partition));
        for partition in partitions {
            by_partition.entry(*partition).or_default();
        }
    }

    /// All partitions that this stage reads.
    pub fn partitions(&self) -> BTreeMap<u32, Arc<PartitionStatus>> {
        self.by_partition.lock().clone()
    }

    /// The sum of the next inputs of all partitions: how many inputs the stage has passed.
    pub fn next_input(&self) -> i64 {
        let partitions = self.by_partition.lock();
        partitions
            .values()
            .map(|partition| partition.next_input())
            .sum()
    }

    /// The sum of the first inputs of all partitions that are not committed yet.
    pub fn next_uncommitted(&self) -> i64 {
        let partitions = self.by_partition.lock();
        let committed = |partition: &Arc<PartitionStatus>| {
            partition.committed_offset.load(Ordering::Acquire) + 1
        };
        partitions.values().map(committed).sum()
    }

    /// Makes partitions commit what they have taken at once, not when a limit is reached, also where no row came of it. A
    /// partition that is busy may miss it: ask again until all is committed.
    pub fn commit_now(&self) {
        self.commit_asked.notify_waiters();
    }

    /// Resolves when somebody asks for a commit.
    pub(crate) async fn commit_asked(&self) {
        self.commit_asked.notified().await;
    }

    pub(crate) fn started(&self) {
        *self.ended.lock() = None;
    }

    pub(crate) fn ended(&self, result: &anyhow::Result<()>) {
        *self.ended.lock() = Some(match result {
            Ok(()) => "it was stopped".to_owned(),
            Err(error) => format!("{error:#}"),
        });
    }
}

/// Ready: the cluster answers, every partition's stream is open with its module's state rebuilt, and the last writes to
/// output topics and lake succeeded. A stage that lags behind is ready too.
impl Observed for StageStatus {
    fn alive(&self) -> Result<(), String> {
        match &*self.ended.lock() {
            Some(how) => Err(how.clone()),
            None => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.alive()?;
        if let Some((part, what)) = self.trouble.lock().first_key_value() {
            return Err(format!("{part}: {what}"));
        }
        self.cluster_health.check()?;
        let closed = self.partitions().into_iter().find(|(_, partition)| {
            let open = partition.open.load(Ordering::Acquire);
            !open
        });
        match closed {
            Some((partition, _)) => Err(format!(
                "partition {partition} is opening or rebuilding its state"
            )),
            None => Ok(()),
        }
    }
}

/// A slot where one part of a stage reports trouble. The report is cleared when the slot is dropped.
#[derive(Debug)]
pub(crate) struct TroubleSpot {
    status: Arc<StageStatus>,
    part: String,
}

impl TroubleSpot {
    pub(crate) fn new(status: &Arc<StageStatus>, part: String) -> Self {
        Self {
            status: status.clone(),
            part,
        }
    }

    pub(crate) fn set(&self, what: impl ToString) {
        self.status
            .trouble
            .lock()
            .insert(self.part.clone(), what.to_string());
    }

    pub(crate) fn clear(&self) {
        self.status.trouble.lock().remove(&self.part);
    }
}

impl Drop for TroubleSpot {
    fn drop(&mut self) {
        self.clear();
    }
}

fn entry<K: Ord, V: Default>(map: &Mutex<BTreeMap<K, Arc<V>>>, key: K) -> Arc<V> {
    map.lock().entry(key).or_default().clone()
}
