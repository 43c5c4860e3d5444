//! One partition's event loop: outputs come in, rows and records go out, cuts are committed beside it.
//!
//! Always true: at most one commit is under way, and reading continues meanwhile. Whatever ends the pipeline, it first
//! waits for that commit to end, so that nothing makes an entry behind the back of the next recovery.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use connector_runtime::cluster::consumer_offset;
use futures_util::FutureExt as _;
use futures_util::future::Either;
use lake::{CommitStamp, ModuleStamp, STAMP_VERSION};
use tokio::task::JoinHandle;

use super::assembly::Assembly;
use super::outputs::Outputs;
use super::progress::Progress;
use crate::commit::{Cause, Commit, Committed, STOP_TIMEOUT, SinceCut, UnderWay};
use crate::context::StageContext;
use crate::encode::Pushed;
use crate::error::StageError;
use crate::input::{ASK_TIMEOUT, Batch, Input, ModuleWatch, stamps};
use crate::status::TroubleSpot;

/// Outputs taken between two looks at everything else.
const CHUNK: usize = 1024;
/// If the stream breaks after at least this many inputs without a row, the progress is committed.
const BROKEN_INPUTS_MIN: u64 = 1_000;
/// How long a stopping stage may take to report its progress to the cluster.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a pipeline ends when nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finished {
    /// The stage stops; everything that was read is committed.
    Stopped,
    /// The SmartModule was replaced; everything before is committed.
    Reopen,
}

/// A partition from its last commit on.
pub(super) struct Pipeline {
    pub stage: Arc<StageContext>,
    pub client: Arc<Client>,
    pub partition: u32,
    pub input: Input,
    pub assembly: Assembly,
    pub outputs: Outputs,
    pub modules: ModuleWatch,
    /// The commit under way.
    pub commit: Option<UnderWay>,
    /// Reports the last commit to the cluster.
    pub report: Option<JoinHandle<Option<Client>>>,
    pub progress: Progress,
}

impl Pipeline {
    /// The SmartModules that the stream was opened with.
    pub(super) fn modules(&self) -> &[ModuleStamp] {
        self.modules.running()
    }

    /// Runs until the stage stops, the SmartModule is replaced, or something fails.
    ///
    /// # Errors
    /// What failed.
    pub(super) async fn run(mut self) -> Result<Finished, StageError> {
        let finished = self.events().await;
        // A commit that waits for an acknowledgement now ends.
        self.outputs.close();
        if let Some(under_way) = self.commit.take()
            && !matches!(finished, Err(StageError::Killed))
        {
            let ended = under_way.give_up().await;
            tracing::debug!(?ended, "the commit under way ended with the pipeline");
        }
        if matches!(finished, Ok(Finished::Stopped))
            && let Some(report) = self.report.take()
        {
            // Otherwise the process could end before the report of its last commit is out.
            let _ = tokio::time::timeout(REPORT_TIMEOUT, report).await;
        }
        self.progress.close();
        finished
    }

    async fn events(&mut self) -> Result<Finished, StageError> {
        loop {
            let now = Instant::now();
            let look = self.modules.next_look();
            let deadline = self.assembly.since_cut(0).deadline(&self.stage.plan.limits);
            let look_timer = match look {
                Some(at) => Either::Left(tokio::time::sleep_until(at.into())),
                None => Either::Right(std::future::pending()),
            };
            // Health judges the age of what is not committed by this clock.
            let clock = self.client.cluster().clock().clone();
            let commit_timer = match deadline {
                Some(at) => Either::Left(clock.reaches(at.into())),
                None => Either::Right(std::future::pending()),
            };
            let stop = self.stage.stop.clone();
            let status = Arc::clone(&self.stage.status);
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.finish(Cause::Stop).await,
                () = status.commit_asked() => {
                    if self.assembly.since_cut(0).inputs > 0 {
                        self.cut(Cause::Asked).await?;
                    }
                }
                ended = ended(&mut self.commit) => self.committed(ended)?,
                changed = self.outputs.changed() => {
                    changed?;
                    self.update_progress();
                }
                () = look_timer => {}
                () = commit_timer => {}
                batch = self.input.next() => match batch {
                    Ok(batch) => self.take(batch).await?,
                    Err(error) => {
                        self.commit_before_restart().await?;
                        return Err(error.into());
                    }
                },
            }
            if look.is_some_and(|at| now >= at) && self.module_replaced().await {
                return self.finish(Cause::ModuleReplaced).await;
            }
            self.cut_if_due().await?;
        }
    }

    async fn take(&mut self, mut batch: Batch) -> Result<(), StageError> {
        while batch.len() > 0 {
            let (before, chunk) = (batch.len(), batch.len().min(CHUNK));
            let last_input = self.assembly.position.next() + chunk as i64;
            if let Err(error) = self.assembly.fill(last_input).await {
                self.commit_before_restart().await?;
                return Err(error.into());
            }
            let now = self.client.cluster().clock().instant().into_std();
            let mut cut = None;
            for item in batch.by_ref().take(chunk) {
                match self.assembly.take(item, now) {
                    Ok(Pushed::Taken) => {}
                    Ok(Pushed::Full) => {
                        cut = Some(Cause::Rows);
                        break;
                    }
                    Err(error) => {
                        // Commit what came before it, so that a restart is stopped by this one record only.
                        tracing::error!(stage = self.stage.plan.name, "{error}");
                        self.send_pending().await?;
                        self.finish(Cause::Stop).await?;
                        return Err(error);
                    }
                }
            }
            let taken = (before - batch.len()) as u64;
            self.stage
                .status
                .records_read
                .fetch_add(taken, Ordering::Relaxed);
            self.stage.meters.inputs.increment(taken);
            self.assembly.count_outputs(&self.stage.meters);
            self.send_pending().await?;
            self.assembly.encode_full().await?;
            match cut {
                Some(cause) => self.cut(cause).await?,
                None => self.cut_if_due().await?,
            }
            self.update_progress();
            // A large batch must not keep other tasks from running.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn send_pending(&mut self) -> Result<(), StageError> {
        let topics = &mut self.assembly.topics;
        self.outputs.send(topics, &self.stage.stop).await
    }

    /// A connection broke: commits what came. Otherwise a stage whose connections break early would never get further.
    async fn commit_before_restart(&mut self) -> Result<(), StageError> {
        let since = self.assembly.since_cut(0);
        let committed = async {
            if since.rows > 0 || since.inputs >= BROKEN_INPUTS_MIN {
                self.cut(Cause::StreamBroke).await?;
            }
            self.wait_for_commit().await
        };
        // If broker or lake are away, the same rows are computed again later: nothing is lost.
        let committed = tokio::time::timeout(STOP_TIMEOUT, committed).await;
        committed.unwrap_or(Ok(()))
    }

    /// Commits what there is, and waits for it.
    async fn finish(&mut self, cause: Cause) -> Result<Finished, StageError> {
        let since = self.assembly.since_cut(0);
        // Without rows nothing is lost: the next start reads those inputs again.
        if since.rows > 0 || (cause == Cause::ModuleReplaced && since.inputs > 0) {
            self.cut(cause).await?;
        }
        self.wait_for_commit().await?;
        if cause == Cause::ModuleReplaced {
            tracing::info!(
                stage = self.stage.plan.name,
                partition = self.partition,
                "the SmartModule was replaced: reopening the stream"
            );
            return Ok(Finished::Reopen);
        }
        // A topic without a table can wait for outputs that no commit waited for.
        self.outputs.wait_for_all(&self.assembly.topics).await?;
        Ok(Finished::Stopped)
    }

    async fn cut_if_due(&mut self) -> Result<(), StageError> {
        let mut due = self.due();
        if due == Some(Cause::Memory) {
            // The commit under way holds memory, too. A cut beside it would be tiny.
            self.wait_for_commit().await?;
            due = self.due();
        }
        match due {
            Some(cause) => self.cut(cause).await,
            None => Ok(()),
        }
    }

    /// Why a cut is due now, if one is.
    fn due(&self) -> Option<Cause> {
        let limits = &self.stage.plan.limits;
        let now = self.client.cluster().clock().instant().into_std();
        self.since_cut().due(limits, self.stage.memory_max, now)
    }

    /// What was taken since the last cut, with all of the partition's memory.
    fn since_cut(&self) -> SinceCut {
        let committing = self.commit.as_ref().map_or(0, |under_way| under_way.bytes);
        self.assembly
            .since_cut(self.outputs.waiting_bytes() + committing)
    }

    async fn cut(&mut self, cause: Cause) -> Result<(), StageError> {
        self.wait_for_commit().await?;
        let position = &self.assembly.position;
        // A cut whose commit failed leaves a hole, which no later commit may hide.
        if position.last_cut() != self.progress.committed() {
            return Err(StageError::StoppedUncommitted {
                reason: "the commit before it failed".to_owned(),
            });
        }
        self.send_pending().await?;
        let since = self.assembly.since_cut(0);
        let position = &self.assembly.position;
        let last_offset = position.next() - 1;
        let (outputs, topic_ends) = self.outputs.at_cut(&self.assembly.topics, last_offset);
        let stamp = CommitStamp {
            version: STAMP_VERSION,
            writer: self.stage.writer.clone(),
            app: self.stage.app(self.partition),
            partitions: self.stage.partitions,
            generation: position.generation(),
            first_offset: position.last_cut() + 1,
            last_offset,
            resume_offset: position.resume_offset(),
            greatest_source: position.greatest_source(),
            record_hash: String::new(),
            modules: self.modules.running().to_vec(),
            committed_at_ms: 0,
            topic_ends,
        };
        let last_record = position.last_record().cloned();
        let cut = self.assembly.cut().await?;
        tracing::debug!(
            stage = self.stage.plan.name,
            partition = self.partition,
            ?cause,
            first_offset = stamp.first_offset,
            last_offset,
            rows = cut.rows,
            "cut"
        );
        let commit = Commit {
            trouble: TroubleSpot::new(&self.stage.status, format!("lake/{}", self.partition)),
            give_up: self.stage.stop.child_token(),
            tables: self.stage.tables().await?,
            stage: self.stage.clone(),
            client: self.client.clone(),
            stamp,
            last_record,
            outputs,
            cut,
        };
        self.commit = Some(UnderWay::start(commit, since));
        self.update_progress();
        Ok(())
    }

    async fn wait_for_commit(&mut self) -> Result<(), StageError> {
        if self.commit.is_none() {
            return Ok(());
        }
        tokio::select! {
            ended = ended(&mut self.commit) => self.committed(ended),
            error = self.outputs.failure() => Err(error.into()),
        }
    }

    fn committed(&mut self, ended: Result<Committed, StageError>) -> Result<(), StageError> {
        let under_way = self.commit.take();
        let committed = ended?;
        let now_ms = jiff::Timestamp::now().as_millisecond();
        self.progress.commit(committed.last_offset, now_ms);
        let meters = &self.stage.meters;
        meters.commits.increment(1);
        meters.last_commit(self.partition, now_ms);
        if let Some(under_way) = under_way {
            meters.commit_seconds.record(under_way.elapsed());
        }
        tracing::info!(
            stage = self.stage.plan.name,
            partition = self.partition,
            offset = committed.last_offset,
            rows = committed.rows,
            version = committed.version,
            "committed"
        );
        self.update_progress();
        if let Some(mut older) = self.report.take() {
            match (&mut older).now_or_never() {
                Some(Ok(Some(client))) => self.client = Arc::new(client),
                Some(_) => {}
                None => older.abort(),
            }
        }
        let (stage, client, partition) = (self.stage.clone(), self.client.clone(), self.partition);
        // Only for people to look at: no commit waits for it.
        let report = report(stage, client, partition, committed.last_offset);
        self.report = Some(tokio::spawn(report));
        Ok(())
    }

    async fn module_replaced(&mut self) -> bool {
        match stamps(&self.client, &self.stage.plan.transforms).await {
            Ok(found) => self.modules.found(found, Instant::now()),
            Err(error) => {
                tracing::warn!(stage = self.stage.plan.name, "{error}");
                self.modules.postpone(Instant::now());
                // A client does not reconnect by itself, and the stream has another connection, which may work.
                let connected = self.stage.cluster.connect();
                if let Ok(Ok(client)) = tokio::time::timeout(ASK_TIMEOUT, connected).await {
                    self.client = Arc::new(client);
                }
                false
            }
        }
    }

    fn update_progress(&mut self) {
        let taken = self.assembly.position.next() - 1;
        let topics = &self.assembly.topics;
        let handled = self.outputs.acknowledged_up_to(taken, topics);
        let committing = self.commit.as_ref().map_or(0, |under_way| under_way.rows);
        let rows = self.assembly.rows_waiting() + committing;
        let since = self.since_cut();
        self.progress
            .update(taken, handled, rows, since.memory_bytes);
        let under_way = self.commit.as_ref().and_then(|commit| commit.first_row);
        let oldest = under_way.or(since.first_row).map(Instant::into);
        self.progress
            .oldest_row(oldest, self.client.cluster().clock());
    }
}

/// Shows in `fluvio consumer list` that the inputs up to `last` are committed. Returns a new client if the old one has lost its
/// connection, as a client does not reconnect by itself.
async fn report(
    stage: Arc<StageContext>,
    client: Arc<Client>,
    partition: u32,
    last: i64,
) -> Option<Client> {
    let (id, topic) = (&stage.consumer_id, &stage.topic);
    let stored = consumer_offset::store(&client, id, topic, partition, last).await;
    if stored.is_ok() {
        return None;
    }
    let again = async {
        let client = stage.cluster.connect().await?;
        consumer_offset::store(&client, id, topic, partition, last).await?;
        anyhow::Ok(client)
    };
    match again.await {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::debug!(
                stage = stage.plan.name,
                partition,
                "the commit up to {last} does not show in `fluvio consumer list`: {error:#}"
            );
            None
        }
    }
}

/// Resolves when the commit under way has ended; never when there is none.
async fn ended(commit: &mut Option<UnderWay>) -> Result<Committed, StageError> {
    match commit {
        Some(under_way) => under_way.ended().await,
        None => std::future::pending().await,
    }
}
