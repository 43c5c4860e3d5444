//! How far upkeep is, for whoever waits for it.

use std::ops::ControlFlow;

use connector_runtime::process::log;
use indicatif::{ProgressBar, ProgressStyle};
use lake::upkeep::Step;
use tokio_util::sync::CancellationToken;

/// A bar for a table; hidden when stderr is not a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn of(table: &str) -> Self {
        let bar = match log::is_json() {
            true => ProgressBar::hidden(),
            false => ProgressBar::new(0),
        };
        let style = "{prefix:14} {wide_bar} {human_pos}/{human_len} {msg} {eta}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is well-formed"));
        bar.set_prefix(table.to_owned());
        Self { bar }
    }

    /// Draws each step, and ends the work when `stop` is cancelled.
    pub(super) fn watch(
        &self,
        stop: CancellationToken,
    ) -> impl Fn(Step) -> ControlFlow<()> + Send + Sync + 'static {
        let bar = self.bar.clone();
        move |step| {
            match step {
                Step::RowsPlanned(rows) => start(&bar, rows, "rows"),
                Step::FilesPlanned(files) | Step::DeletionsPlanned(files) => {
                    start(&bar, files, "files");
                }
                Step::RowsRead(done) | Step::FilesRead(done) => bar.inc(done),
                Step::Deleted => bar.inc(1),
                _ => {}
            }
            match stop.is_cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

fn start(bar: &ProgressBar, length: u64, what: &'static str) {
    bar.set_length(length);
    bar.set_position(0);
    bar.set_message(what);
}
