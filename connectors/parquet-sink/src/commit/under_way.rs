//! A commit that runs beside the pipeline.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cut::SinceCut;
use super::steps::{Commit, Committed};
use crate::error::StageError;

/// A commit that runs in a task of its own. Dropping it aborts the commit.
pub(crate) struct UnderWay {
    task: JoinHandle<Result<Committed, StageError>>,
    give_up: CancellationToken,
    started: Instant,
    /// Rows in it.
    pub rows: u64,
    /// Memory of the partition at the cut.
    pub bytes: u64,
    /// When the first of the rows came.
    pub first_row: Option<Instant>,
}

impl UnderWay {
    /// Starts a commit of what was taken since the cut before it.
    pub(crate) fn start(commit: Commit, since: SinceCut) -> Self {
        Self {
            give_up: commit.give_up.clone(),
            started: Instant::now(),
            rows: commit.cut.rows,
            bytes: since.memory_bytes,
            first_row: since.first_row,
            task: tokio::spawn(commit.run()),
        }
    }

    /// Resolves when the commit has ended. Cancel-safe; not to be called again after it has resolved.
    pub(crate) async fn ended(&mut self) -> Result<Committed, StageError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => Err(StageError::Ended(error.to_string())),
        }
    }

    /// Stops its retries, and waits until it has ended.
    pub(crate) async fn give_up(mut self) -> Result<Committed, StageError> {
        self.give_up.cancel();
        self.ended().await
    }

    /// The time since the cut.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
