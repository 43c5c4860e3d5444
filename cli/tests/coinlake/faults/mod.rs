//! The finished commands while things go wrong. Each file is one kind of fault; what is left behind must equal what an
//! uninterrupted run leaves.

mod backfill;
mod clock;
mod clock_behind;
mod coins;
mod days;
mod demo;
mod first_poll;
mod history;
mod hour;
mod month;
mod network;
mod platform;
mod processes;
mod recording;
mod rules;
mod simulated;
mod soak;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::process::{coinlake, succeeded};
use tokio::sync::OnceCell;

use crate::rows::{self, Rows};

/// What a run leaves behind.
pub(crate) struct Left {
    lake: BTreeMap<&'static str, Rows>,
    topics: BTreeMap<&'static str, Rows>,
}

impl Left {
    /// In a data directory whose broker has ended.
    pub(crate) async fn behind(data: &Path) -> Self {
        Self {
            lake: rows::lake(data),
            topics: rows::topics(data).await,
        }
    }

    /// How many rows a layer has.
    pub(crate) fn rows(&self, layer: &str) -> u64 {
        self.lake[layer].len() as u64
    }

    /// Row for row.
    #[track_caller]
    pub(crate) fn assert_equals(&self, golden: &Self) {
        rows::assert_equal("lake", &self.lake, &golden.lake);
        rows::assert_equal("topics", &self.topics, &golden.topics);
    }
}

/// What the demo leaves when nothing goes wrong, and how long it takes.
pub(crate) async fn golden() -> &'static (Left, Duration) {
    static GOLDEN: OnceCell<(Left, Duration)> = OnceCell::const_new();
    GOLDEN
        .get_or_init(|| async {
            let data = tempfile::tempdir().unwrap();
            let started = Instant::now();
            run_to_the_end(data.path());
            let took = started.elapsed();
            (Left::behind(data.path()).await, took)
        })
        .await
}

/// The demo on the synthetic market, which ends when that is drained.
pub(crate) fn demo_command(data: &Path) -> Command {
    let mut command = coinlake(&["demo", "--exit", "--json", "--data"]);
    command
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs that demo until it has ended.
pub(crate) fn run_to_the_end(data: &Path) {
    let output = demo_command(data).stderr(Stdio::piped()).output();
    succeeded(&output.unwrap());
}
