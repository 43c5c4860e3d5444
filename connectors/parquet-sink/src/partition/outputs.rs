//! The output topics of a partition.

use std::collections::BTreeMap;
use std::future::pending;

use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::topics::TopicState;
use crate::commit::{OutputAtCut, STOP_TIMEOUT};
use crate::error::StageError;
use crate::output::{Acknowledged, OutputError, TopicOutput};
use crate::recovery::TopicPlan;

/// The output topics of a partition, in the order of the plan.
#[derive(Default)]
pub(super) struct Outputs {
    topics: Vec<Output>,
    /// How far each of them is.
    progress: Vec<watch::Receiver<Acknowledged>>,
}

struct Output {
    topic: TopicOutput,
    /// Where it resumed.
    plan: TopicPlan,
}

impl Outputs {
    pub(super) fn add(&mut self, topic: TopicOutput, plan: TopicPlan) {
        self.progress.push(topic.progress());
        self.topics.push(Output { topic, plan });
    }

    /// Ends all appends: nothing more is acknowledged.
    pub(super) fn close(&mut self) {
        self.topics.clear();
    }

    /// Hands over the pending outputs; waits while a topic's queue is full.
    ///
    /// # Errors
    /// When a topic cannot be written, or the stage stops and the queue stays full.
    pub(super) async fn send(
        &mut self,
        states: &mut [TopicState],
        stop: &CancellationToken,
    ) -> Result<(), StageError> {
        for (output, state) in self.topics.iter_mut().zip(states) {
            if state.pending.is_empty() {
                continue;
            }
            let pending = std::mem::take(&mut state.pending);
            tokio::select! {
                sent = output.topic.send(pending) => sent?,
                () = stop_timeout(stop) => return Err(StageError::not_acknowledged(&state.name)),
            }
        }
        Ok(())
    }

    /// Waits until the topics have acknowledged everything, at most for [`STOP_TIMEOUT`].
    ///
    /// # Errors
    /// When a topic cannot be written, or the time is over.
    pub(super) async fn wait_for_all(&mut self, states: &[TopicState]) -> Result<(), StageError> {
        let timeout = Instant::now() + STOP_TIMEOUT;
        for (output, state) in self.topics.iter_mut().zip(states) {
            let mut progress = output.topic.progress();
            let wanted = state.last_output;
            tokio::select! {
                // The channel of a topic that cannot be written is closed; `failure` reports why.
                Ok(_) = progress.wait_for(|at| at.source_offset >= wanted) => {}
                error = output.topic.failure() => return Err(error.into()),
                () = tokio::time::sleep_until(timeout) => {
                    return Err(StageError::not_acknowledged(&state.name));
                }
            }
        }
        Ok(())
    }

    /// Resolves when a topic has acknowledged something.
    ///
    /// # Errors
    /// When a topic cannot be written any more.
    pub(super) async fn changed(&mut self) -> Result<(), OutputError> {
        tokio::select! {
            biased;
            error = failure(&mut self.topics) => Err(error),
            () = acknowledged(&mut self.progress) => Ok(()),
        }
    }

    /// Resolves when a topic cannot be written any more.
    pub(super) async fn failure(&mut self) -> OutputError {
        failure(&mut self.topics).await
    }

    /// Size of what is not acknowledged yet.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let topics = self.topics.iter();
        topics.map(|output| output.topic.waiting_bytes()).sum()
    }

    /// The last input up to `taken` whose outputs are acknowledged.
    pub(super) fn acknowledged_up_to(&self, taken: i64, states: &[TopicState]) -> i64 {
        let outputs = self.progress.iter().zip(states);
        let behind = outputs.filter_map(|(progress, state)| {
            let acknowledged = progress.borrow().source_offset;
            (acknowledged < state.last_output).then_some(acknowledged)
        });
        behind.min().map_or(taken, |offset| offset.min(taken))
    }

    /// The topics as a commit at `last_offset` waits for them, and where in each of them later outputs begin.
    pub(super) fn at_cut(
        &self,
        states: &[TopicState],
        last_offset: i64,
    ) -> (Vec<OutputAtCut>, BTreeMap<String, i64>) {
        let mut outputs = Vec::with_capacity(self.topics.len());
        let mut ends = BTreeMap::new();
        for (output, state) in self.topics.iter().zip(states) {
            let progress = output.topic.progress();
            let later = output
                .plan
                .later_outputs(last_offset, progress.borrow().end);
            ends.insert(state.name.clone(), later);
            outputs.push(OutputAtCut {
                name: state.name.clone(),
                progress,
                last_output: state.last_output.min(last_offset),
            });
        }
        (outputs, ends)
    }
}

/// Resolves [`STOP_TIMEOUT`] after the stage was told to stop.
async fn stop_timeout(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_TIMEOUT).await;
}

async fn failure(outputs: &mut [Output]) -> OutputError {
    if outputs.is_empty() {
        return pending().await;
    }
    let failures = outputs
        .iter_mut()
        .map(|output| Box::pin(output.topic.failure()));
    select_all(failures).await.0
}

async fn acknowledged(topics: &mut [watch::Receiver<Acknowledged>]) {
    // The channel of a topic that cannot be written is closed; `failure` reports why.
    let changes = topics.iter_mut().map(|topic| {
        Box::pin(async {
            if topic.changed().await.is_err() {
                pending::<()>().await;
            }
        })
    });
    let changes: Vec<_> = changes.collect();
    match changes.is_empty() {
        true => pending().await,
        false => drop(select_all(changes).await),
    }
}
