//! What the stage's status shows of one partition.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connector_runtime::clock::Clock;
use tokio::time::Instant;

use crate::recovery::ResumePlan;
use crate::status::{PartitionStatus, StageStatus};

/// Keeps a partition's part of the stage's status up to date.
pub(super) struct Progress {
    stage: Arc<StageStatus>,
    partition: Arc<PartitionStatus>,
    /// When this input is handled, the module's state is what it was at the last commit.
    rebuilt_at: i64,
    /// What this partition added to the stage's sums.
    counted: Counted,
}

#[derive(Default)]
struct Counted {
    rows: u64,
    memory: u64,
}

impl Progress {
    /// Shows that the partition resumes.
    pub(super) fn open(stage: &Arc<StageStatus>, partition: u32, plan: &ResumePlan) -> Self {
        let partition = stage.partition(partition);
        let committed = plan.committed;
        let before = partition.committed_offset.swap(committed, Ordering::AcqRel);
        // Set before the first input, as there may be none.
        match before > committed {
            // The topic was recreated, and its offsets began again.
            true => partition.input_offset.store(committed, Ordering::Release),
            false => drop(
                partition
                    .input_offset
                    .fetch_max(committed, Ordering::Release),
            ),
        }
        partition
            .open
            .store(plan.open_at > committed, Ordering::Release);
        Self {
            stage: stage.clone(),
            partition,
            rebuilt_at: committed,
            counted: Counted::default(),
        }
    }

    /// The last committed input.
    pub(super) fn committed(&self) -> i64 {
        self.partition.committed_offset.load(Ordering::Acquire)
    }

    /// Shows a commit.
    pub(super) fn commit(&self, last_offset: i64, now_ms: i64) {
        self.partition
            .committed_offset
            .store(last_offset, Ordering::Release);
        self.stage.commits.fetch_add(1, Ordering::Relaxed);
        self.stage.last_commit_ms.store(now_ms, Ordering::Release);
    }

    /// Shows how far the partition is: `taken` and `handled` are inputs, the others what it holds.
    pub(super) fn update(&mut self, taken: i64, handled: i64, rows: u64, memory: u64) {
        self.count(rows, memory);
        // While a module's state is rebuilt, inputs come again that were handled before.
        self.partition
            .input_offset
            .fetch_max(handled, Ordering::Release);
        if taken >= self.rebuilt_at {
            self.partition.open.store(true, Ordering::Release);
        }
    }

    /// Shows when the oldest row came that is not committed.
    pub(super) fn oldest_row(&self, came_at: Option<Instant>, clock: &Clock) {
        let ms = came_at.map_or(0, |at| {
            let age = clock.instant().saturating_duration_since(at);
            clock.now_ms() - age.as_millis() as i64
        });
        self.partition.oldest_row_ms.store(ms, Ordering::Release);
    }

    /// Shows that the pipeline has ended.
    pub(super) fn close(&mut self) {
        self.count(0, 0);
        self.partition.oldest_row_ms.store(0, Ordering::Release);
        self.partition.open.store(false, Ordering::Release);
    }

    fn count(&mut self, rows: u64, memory: u64) {
        // Wrapping, as the difference may be negative.
        self.stage
            .rows_uncommitted
            .fetch_add(rows.wrapping_sub(self.counted.rows), Ordering::Relaxed);
        self.stage
            .memory_bytes
            .fetch_add(memory.wrapping_sub(self.counted.memory), Ordering::Relaxed);
        self.counted = Counted { rows, memory };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[tokio::test]
    async fn the_oldest_row_has_the_time_at_which_it_came() {
        let clock = Clock::simulated(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        let stage = Arc::new(StageStatus::default());
        let mut progress = Progress {
            partition: stage.partition(1),
            stage: Arc::clone(&stage),
            rebuilt_at: -1,
            counted: Counted::default(),
        };
        let shown = || stage.partition(1).oldest_row_ms.load(Ordering::Acquire);
        let came_at = clock.instant();
        clock.sleep(Duration::from_secs(60)).await;
        progress.oldest_row(Some(came_at), &clock);
        assert_eq!(shown(), 1_000_000);
        progress.oldest_row(None, &clock);
        assert_eq!(shown(), 0);
        progress.oldest_row(Some(came_at), &clock);
        progress.close();
        assert_eq!(shown(), 0);
    }

    #[test]
    fn a_topic_that_was_recreated_begins_again() {
        let stage = Arc::new(StageStatus::default());
        let plan = |committed| ResumePlan {
            generation: 0,
            committed,
            open_at: committed + 1,
            side_tables: Vec::new(),
            topics: Vec::new(),
            greatest_source: -1,
            accepted: false,
            warnings: Vec::new(),
        };
        let mut progress = Progress::open(&stage, 0, &plan(99));
        progress.update(150, 150, 0, 0);
        // A restart from the last commit, then one on the new topic.
        for (committed, next) in [(99, 151), (-1, 0)] {
            Progress::open(&stage, 0, &plan(committed));
            assert_eq!(stage.partition(0).next_input(), next);
        }
    }
}
