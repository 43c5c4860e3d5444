//! The progress of a training: steps that take about as long as each other, each of which advances by parts.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// The length of a step on the bar.
const STEP: u64 = 100;

/// Begins a bar of this many steps.
pub(super) fn begin(bar: &ProgressBar, steps: usize) {
    bar.reset();
    bar.set_style(
        ProgressStyle::with_template("{msg} {wide_bar} {percent} %, {eta} left")
            .expect("the template is well-formed"),
    );
    bar.set_length(STEP * steps as u64);
}

/// A step, which ends when it is dropped.
pub(super) struct Step<'a> {
    bar: &'a ProgressBar,
    begin: u64,
    parts: u64,
    done: AtomicU64,
}

impl<'a> Step<'a> {
    /// The next step, of this many parts.
    pub(super) fn new(bar: &'a ProgressBar, message: String, parts: u64) -> Self {
        bar.set_message(message);
        Self {
            bar,
            begin: bar.position(),
            parts: parts.max(1),
            done: AtomicU64::new(0),
        }
    }

    /// A part is done; on any thread.
    pub(super) fn part(&self) {
        // A forest that is too large is fitted again: more parts are done than were announced.
        let done = (self.done.fetch_add(1, Ordering::Relaxed) + 1).min(self.parts);
        self.bar.set_position(self.begin + STEP * done / self.parts);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.bar.set_position(self.begin + STEP);
    }
}
