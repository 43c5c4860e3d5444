//! Faults on purpose: what a real Fluvio cluster does at its worst, for the tests of connectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Switches that make a broker behave as badly as a Fluvio 0.18 cluster can, or as a network can. All are off at first, all
/// clones of one `Faults` are the same switches, and they work while the broker runs.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    cut_reads: AtomicBool,
    careless_modules: AtomicBool,
    delay_acks_ms: AtomicU64,
    lose_acks: AtomicUsize,
    refuse_writes: AtomicUsize,
    break_before_ack: AtomicUsize,
    old_watermarks: AtomicU64,
    lose_segment_files: AtomicUsize,
    silent_creations: AtomicUsize,
}

impl Faults {
    /// Cuts every plain read at the client's `max_bytes`, in the middle of a batch. The published client swallows the
    /// end, acknowledges the whole batch, and the records are lost to its consumer.
    pub fn cut_reads(&self, on: bool) {
        self.0.cut_reads.store(on, Ordering::Relaxed);
    }

    /// Runs SmartModules the way an SPU does: each read takes the rest of the segment; outputs above `max_bytes` are
    /// dropped and their batch is processed again by the next read; a read that yields nothing skips to the end of the
    /// log; the first batch is processed whole, although the stream was opened in its middle.
    pub fn careless_modules(&self, on: bool) {
        self.0.careless_modules.store(on, Ordering::Relaxed);
    }

    /// Answers every produce request this much later. The records are written, and read, at once.
    pub fn delay_acks(&self, delay: Duration) {
        self.0
            .delay_acks_ms
            .store(delay.as_millis() as u64, Ordering::Relaxed);
    }

    /// Writes, but never answers, the next `requests` produce requests that carry records.
    pub fn lose_acks(&self, requests: usize) {
        self.0.lose_acks.store(requests, Ordering::Relaxed);
    }

    /// Answers the next `requests` produce requests that carry records with a storage error and writes nothing.
    pub fn refuse_writes(&self, requests: usize) {
        self.0.refuse_writes.store(requests, Ordering::Relaxed);
    }

    /// Writes the next `requests` produce requests that carry records, then breaks their connection instead of answering.
    pub fn break_before_ack(&self, requests: usize) {
        self.0.break_before_ack.store(requests, Ordering::Relaxed);
    }

    /// Tells everyone who asks for offsets that a partition ends this many records before its end, as an SPU that was
    /// killed does until the next record is written. Clients that read uncommitted records still see all of them.
    pub fn old_watermarks(&self, records: u64) {
        self.0.old_watermarks.store(records, Ordering::Relaxed);
    }

    /// Ends the stream at the next `reads` through SmartModules: an SPU closes the file of a segment that is full under the
    /// streams that read it.
    pub fn lose_segment_files(&self, reads: usize) {
        self.0.lose_segment_files.store(reads, Ordering::Relaxed);
    }

    /// Creates the next `topics` topics, but sends no answer for 90 s. An SC does so when it misses that the partitions came
    /// online, because that news arrived together with the deletion of another topic.
    pub fn silent_creations(&self, topics: usize) {
        self.0.silent_creations.store(topics, Ordering::Relaxed);
    }

    pub(crate) fn take_silent_creation(&self) -> bool {
        take_one(&self.0.silent_creations)
    }

    pub(crate) fn take_lost_segment_file(&self) -> bool {
        take_one(&self.0.lose_segment_files)
    }

    /// Where a partition is said to end whose log reaches from `start` to `end`.
    pub(crate) fn watermark(&self, start: i64, end: i64) -> i64 {
        let hidden = self.0.old_watermarks.load(Ordering::Relaxed);
        end.saturating_sub_unsigned(hidden).max(start)
    }

    pub(crate) fn cuts_reads(&self) -> bool {
        self.0.cut_reads.load(Ordering::Relaxed)
    }

    pub(crate) fn has_careless_modules(&self) -> bool {
        self.0.careless_modules.load(Ordering::Relaxed)
    }

    pub(crate) fn ack_delay(&self) -> Duration {
        Duration::from_millis(self.0.delay_acks_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn take_lost_ack(&self) -> bool {
        take_one(&self.0.lose_acks)
    }

    pub(crate) fn take_refused_write(&self) -> bool {
        take_one(&self.0.refuse_writes)
    }

    pub(crate) fn take_break_before_ack(&self) -> bool {
        take_one(&self.0.break_before_ack)
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        left.checked_sub(1)
    })
    .is_ok()
}
