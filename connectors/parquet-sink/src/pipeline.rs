//! One partition, running: outputs come in, rows and records go out, cuts are committed beside it.
//!
//! Always true: at most one commit is under way; reading goes on meanwhile. Whatever ends the pipeline, it first waits
//! for that commit to end, so that nothing creates files behind the back of the next recovery.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use connector_runtime::SmartModuleInvocation;
use connector_runtime::cluster::Client;
use connector_runtime::progress::report_progress;
use connector_runtime::reader::{ModuleReader, PlainReader};
use futures_util::future::{Either, select_all};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::assembly::{Assembly, Step};
use crate::commit::{Commit, Committed, OutputAtCut, STOP_TIMEOUT};
use crate::cut::Cause;
use crate::error::StageError;
use crate::input::{Batch, Input};
use crate::modules::{ASK_TIMEOUT, LOOK_INTERVAL, ModuleWatch, stamps};
use crate::outputs::{Acknowledged, OutputError, Told, TopicOutput};
use crate::read_back::ReadBack;
use crate::recover::ResumePlan;
use crate::stage::Stage;
use crate::status::{PartitionStatus, TroubleSpot};
use lake::ModuleStamp;

/// Outputs taken between two looks at everything else.
const CHUNK: usize = 1024;
/// So many inputs without a row are worth a commit when their stream breaks.
const BROKEN_INPUTS_MIN: u64 = 1_000;
/// How long a stage that stops may take to tell the cluster how far it came.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a pipeline ends when nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It was told to; what was read is committed.
    Stopped,
    /// The module was replaced; everything before is committed.
    Reopen,
}

pub(crate) struct Pipeline {
    stage: Arc<Stage>,
    client: Arc<Client>,
    partition: u32,
    input: Input,
    assembly: Assembly,
    outputs: Vec<Output>,
    /// How far each of them is.
    acknowledgements: Vec<watch::Receiver<Acknowledged>>,
    modules: ModuleWatch,
    commit: Option<UnderWay>,
    /// Tells the cluster of the last commit.
    report: Option<JoinHandle<()>>,
    /// The day of the main layer's newest file.
    main_day: Option<i32>,
    status: Arc<PartitionStatus>,
    counted: Counted,
    /// When this input is handled, the module's state is what it was at the last commit.
    rebuilt_at: i64,
}

/// An output topic, and where its rows that the lake lacks begin.
struct Output {
    topic: TopicOutput,
    ahead: Option<Ahead>,
}

/// At the start the topic was ahead of the lake.
#[derive(Clone, Copy)]
struct Ahead {
    /// Up to the output of this input…
    stands_at: i64,
    /// …from this offset of the topic on.
    from: i64,
}

struct UnderWay {
    task: JoinHandle<Result<Committed, StageError>>,
    give_up: CancellationToken,
    started: Instant,
    rows: u64,
    bytes: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What this partition added to the stage's numbers, to be taken back when it ends.
#[derive(Default)]
struct Counted {
    rows: u64,
    memory: u64,
}

impl Pipeline {
    pub(crate) async fn open(
        stage: Arc<Stage>,
        client: Arc<Client>,
        partition: u32,
        plan: &ResumePlan,
        main_day: Option<i32>,
    ) -> Result<Self, StageError> {
        let topic = &stage.topic;
        let modules = stamps(&client, &stage.plan.transforms).await?;
        let mut outputs = Vec::new();
        let mut read_backs = Vec::new();
        for ((destination, name), at) in stage.plan.topics().zip(&plan.topics) {
            let destination = &stage.plan.destinations[destination];
            let from = Acknowledged {
                source_offset: at.stands_at,
                end: at.end,
            };
            let told = Told {
                status: stage.status.destination(destination.label()),
                records: stage.meters.records(name),
                trouble: TroubleSpot::new(&stage.status, format!("topic {name}/{partition}")),
            };
            outputs.push(Output {
                topic: TopicOutput::start(stage.cluster.clone(), name, partition, from, told),
                ahead: at.read_back.map(|read_back| Ahead {
                    stands_at: at.stands_at,
                    from: read_back.from,
                }),
            });
            read_backs.push(match at.read_back {
                Some(read_back) if destination.layer.is_some() => {
                    Some(ReadBack::open(&client, name, partition, read_back, plan.committed).await?)
                }
                _ => None,
            });
        }
        let invocations: Vec<SmartModuleInvocation> = stage
            .plan
            .transforms
            .iter()
            .map(|transform| transform.invocation())
            .collect();
        let input = match invocations.is_empty() {
            true => Input::Plain(PlainReader::open(&client, topic, partition, plan.open_at).await?),
            false => Input::Modules(
                ModuleReader::open(&client, topic, partition, plan.open_at, invocations).await?,
            ),
        };
        let look_interval = stage.hooks.module_look_interval.unwrap_or(LOOK_INTERVAL);
        let status = stage.status.partition(partition);
        status
            .committed_offset
            .store(plan.committed, Ordering::Release);
        // Known before the first input: there may be none to come.
        status
            .input_offset
            .fetch_max(plan.committed, Ordering::Release);
        status
            .open
            .store(plan.open_at > plan.committed, Ordering::Release);
        Ok(Self {
            assembly: Assembly::new(
                &stage.plan,
                topic,
                partition,
                plan,
                read_backs,
                &stage.status,
            ),
            modules: ModuleWatch::new(modules, look_interval, Instant::now()),
            stage,
            client,
            partition,
            input,
            acknowledgements: outputs.iter().map(|o| o.topic.progress()).collect(),
            outputs,
            commit: None,
            report: None,
            main_day,
            status,
            counted: Counted::default(),
            rebuilt_at: plan.committed,
        })
    }

    pub(crate) fn modules(&self) -> &[ModuleStamp] {
        self.modules.running()
    }

    pub(crate) async fn run(mut self) -> Result<Finished, StageError> {
        let finished = self.events().await;
        // No more acknowledgements: a commit that waits for one ends now.
        self.outputs.clear();
        if let Some(mut under_way) = self.commit.take()
            && !matches!(finished, Err(StageError::Killed))
        {
            under_way.give_up.cancel();
            let ended = (&mut under_way.task).await;
            tracing::debug!(?ended, "the commit under way ended with the pipeline");
        }
        if matches!(finished, Ok(Finished::Stopped))
            && let Some(report) = self.report.take()
        {
            // The process may end now, and the report of its last commit with it.
            let _ = tokio::time::timeout(REPORT_TIMEOUT, report).await;
        }
        self.count(0, 0);
        self.status.open.store(false, Ordering::Release);
        finished
    }

    async fn events(&mut self) -> Result<Finished, StageError> {
        loop {
            let now = Instant::now();
            let look = self.modules.next_look();
            let deadline = self.assembly.since_cut(0).deadline(&self.stage.plan.limits);
            let next_time = match (look, deadline) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            let timer = match next_time {
                Some(at) => Either::Left(tokio::time::sleep_until(at.into())),
                None => Either::Right(std::future::pending()),
            };
            let stop = self.stage.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.finish(Cause::Stop).await,
                ended = ended(&mut self.commit) => self.committed(ended).await?,
                error = failure(&mut self.outputs) => return Err(error.into()),
                () = acknowledged(&mut self.acknowledgements) => self.update_status(),
                () = timer => {}
                batch = self.input.next() => match batch {
                    Ok(batch) => self.take(batch).await?,
                    Err(error) => {
                        self.land_what_came().await?;
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

    /// The stream broke: commits what it brought. Begun again from the commit before, a stage would never get further than
    /// a connection lasts.
    async fn land_what_came(&mut self) -> Result<(), StageError> {
        let since = self.assembly.since_cut(0);
        let landed = async {
            if since.rows > 0 || since.inputs >= BROKEN_INPUTS_MIN {
                self.cut(Cause::StreamBroke).await?;
            }
            self.wait_for_commit().await
        };
        // A broker or lake that is away has the same rows made again, which is no loss.
        let landed = tokio::time::timeout(STOP_TIMEOUT, landed).await;
        landed.unwrap_or(Ok(()))
    }

    /// Commits what there is, and waits for it.
    async fn finish(&mut self, cause: Cause) -> Result<Finished, StageError> {
        let since = self.assembly.since_cut(0);
        // Without rows there is nothing that would be lost: the next start looks at those inputs again.
        if since.rows > 0 || (cause == Cause::ModuleReplaced && since.inputs > 0) {
            self.cut(cause).await?;
        }
        self.wait_for_commit().await?;
        match cause {
            Cause::ModuleReplaced => {
                tracing::info!(
                    stage = self.stage.plan.name,
                    partition = self.partition,
                    "the SmartModule was replaced: opening the stream again"
                );
                Ok(Finished::Reopen)
            }
            _ => {
                // Outputs of inputs without a row of their own (topics without a layer) may still be on their way.
                self.wait_for_outputs().await?;
                Ok(Finished::Stopped)
            }
        }
    }

    async fn take(&mut self, batch: Batch) -> Result<(), StageError> {
        let mut i = 0;
        while i < batch.len() {
            let end = batch.len().min(i + CHUNK);
            let last_input = self.assembly.next() + (end - i) as i64;
            for topic in &mut self.assembly.topics {
                if let Some(read_back) = &mut topic.read_back {
                    read_back.fill(last_input).await?;
                }
            }
            let now = Instant::now();
            let started_at = i;
            let mut cut = None;
            while i < end && cut.is_none() {
                match self.assembly.take(batch.item(i), now) {
                    Ok(Step::Taken) => i += 1,
                    Ok(Step::Full) => {
                        i += 1;
                        cut = Some(Cause::Rows);
                    }
                    Ok(Step::CutFirst) => cut = Some(Cause::LaterDay),
                    Err(error) => {
                        // Land what came before it, so that only this one record is in the way.
                        tracing::error!(stage = self.stage.plan.name, "{error}");
                        self.send_pending().await?;
                        self.finish(Cause::Stop).await?;
                        return Err(error);
                    }
                }
            }
            let taken = (i - started_at) as u64;
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
            self.update_status();
            // A large answer must not keep others from running.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn send_pending(&mut self) -> Result<(), StageError> {
        for (output, state) in self.outputs.iter_mut().zip(&mut self.assembly.topics) {
            if state.pending.is_empty() {
                continue;
            }
            let pending = std::mem::take(&mut state.pending);
            // Waits while too much is on its way; not for ever for a broker that is away when we are to stop.
            tokio::select! {
                sent = output.topic.send(pending) => sent?,
                () = patience(&self.stage.stop) => {
                    return Err(StageError::StoppedUncommitted {
                        reason: format!("topic {} did not acknowledge everything", state.name),
                    });
                }
            }
        }
        Ok(())
    }

    async fn cut_if_due(&mut self) -> Result<(), StageError> {
        let since = self.assembly.since_cut(self.elsewhere_bytes());
        let limits = &self.stage.plan.limits;
        match since.due(limits, self.stage.memory_max, Instant::now()) {
            Some(cause) => self.cut(cause).await,
            None => Ok(()),
        }
    }

    /// Held outside the files being built.
    fn elsewhere_bytes(&self) -> u64 {
        let waiting: u64 = self.outputs.iter().map(|o| o.topic.waiting_bytes()).sum();
        waiting + self.commit.as_ref().map_or(0, |under_way| under_way.bytes)
    }

    async fn cut(&mut self, cause: Cause) -> Result<(), StageError> {
        self.wait_for_commit().await?;
        // A cut whose commit failed leaves a hole, which no later commit may hide.
        if self.assembly.last_cut() != self.status.committed_offset.load(Ordering::Acquire) {
            return Err(StageError::StoppedUncommitted {
                reason: "the commit before did not work".to_owned(),
            });
        }
        self.send_pending().await?;
        let since = self.assembly.since_cut(0);
        let first_offset = self.assembly.last_cut() + 1;
        let last_offset = self.assembly.next() - 1;
        let resume_offset = self.assembly.resume_offset();
        let files = self.assembly.cut().await?;
        let rows = files.rows;
        tracing::debug!(
            stage = self.stage.plan.name,
            partition = self.partition,
            ?cause,
            first_offset,
            last_offset,
            rows,
            "cut"
        );
        let outputs = self.outputs.iter().zip(&self.assembly.topics);
        let outputs = outputs.map(|(output, state)| {
            let progress = output.topic.progress();
            let acknowledged = *progress.borrow();
            OutputAtCut {
                name: state.name.clone(),
                end: match output.ahead {
                    Some(ahead) if ahead.stands_at > last_offset => ahead.from,
                    _ => acknowledged.end,
                },
                last_output: state.last_output.min(last_offset),
                progress,
            }
        });
        let give_up = self.stage.stop.child_token();
        let commit = Commit {
            lake: self.stage.lake.clone(),
            trouble: TroubleSpot::new(&self.stage.status, format!("lake/{}", self.partition)),
            meters: self.stage.meters.clone(),
            client: self.client.clone(),
            topic: self.stage.topic.clone(),
            partition: self.partition,
            partitions: self.stage.partitions,
            generation: self.assembly.generation(),
            writer: self.stage.writer.clone(),
            first_offset,
            last_offset,
            resume_offset,
            greatest_source: self.assembly.greatest_source(),
            modules: self.modules.running().to_vec(),
            last_record: self.assembly.last_record().cloned(),
            outputs: outputs.collect(),
            files,
            empty_main: self.assembly.empty_main(self.main_day, first_offset),
            give_up: give_up.clone(),
            hooks: self.stage.hooks.clone(),
        };
        self.commit = Some(UnderWay {
            task: tokio::spawn(commit.run()),
            give_up,
            started: Instant::now(),
            rows,
            bytes: since.memory_bytes,
        });
        self.update_status();
        Ok(())
    }

    async fn wait_for_commit(&mut self) -> Result<(), StageError> {
        if self.commit.is_none() {
            return Ok(());
        }
        tokio::select! {
            ended = ended(&mut self.commit) => self.committed(ended).await,
            error = failure(&mut self.outputs) => Err(error.into()),
        }
    }

    async fn committed(&mut self, ended: Ended) -> Result<(), StageError> {
        let under_way = self.commit.take();
        let committed = match ended {
            Ok(result) => result?,
            Err(e) => return Err(StageError::Ended(e.to_string())),
        };
        self.main_day = Some(committed.main_day);
        self.status
            .committed_offset
            .store(committed.last_offset, Ordering::Release);
        let status = &self.stage.status;
        status.commits.fetch_add(1, Ordering::Relaxed);
        let now_ms = jiff::Timestamp::now().as_millisecond();
        status.last_commit_ms.store(now_ms, Ordering::Release);
        let meters = &self.stage.meters;
        meters.commits.increment(1);
        meters.last_commit(self.partition, now_ms);
        if let Some(under_way) = under_way {
            meters.commit_seconds.record(under_way.started.elapsed());
        }
        tracing::info!(
            stage = self.stage.plan.name,
            partition = self.partition,
            offset = committed.last_offset,
            rows = committed.rows,
            file = committed.main.path,
            "committed"
        );
        self.update_status();
        let (stage, client, partition) = (self.stage.clone(), self.client.clone(), self.partition);
        // Only for people to look at: no commit waits for it.
        let report = tokio::spawn(async move {
            let last = committed.last_offset;
            report_progress(&client, &stage.consumer_id, &stage.topic, partition, last).await;
        });
        if let Some(older) = self.report.replace(report) {
            older.abort();
        }
        Ok(())
    }

    async fn wait_for_outputs(&mut self) -> Result<(), StageError> {
        let timeout = tokio::time::Instant::now() + STOP_TIMEOUT;
        for (output, state) in self.outputs.iter_mut().zip(&self.assembly.topics) {
            let mut progress = output.topic.progress();
            let wanted = state.last_output;
            tokio::select! {
                _ = progress.wait_for(|a| a.source_offset >= wanted) => {}
                error = output.topic.failure() => return Err(error.into()),
                () = tokio::time::sleep_until(timeout) => {
                    return Err(StageError::StoppedUncommitted {
                        reason: format!("topic {} did not acknowledge everything", state.name),
                    });
                }
            }
        }
        Ok(())
    }

    async fn module_replaced(&mut self) -> bool {
        match stamps(&self.client, &self.stage.plan.transforms).await {
            Ok(found) => self.modules.looked(found, Instant::now()),
            Err(e) => {
                tracing::warn!(stage = self.stage.plan.name, "{e}");
                self.modules.postpone(Instant::now());
                // It is asked over another connection than the stream's, which may be well; a client does not mend its own.
                let connected = self.stage.cluster.connect();
                if let Ok(Ok(client)) = tokio::time::timeout(ASK_TIMEOUT, connected).await {
                    self.client = Arc::new(client);
                }
                false
            }
        }
    }

    fn update_status(&mut self) {
        // While a module's state is rebuilt, inputs come again that were handled before.
        self.status
            .input_offset
            .fetch_max(self.handled(), Ordering::Release);
        if self.assembly.next() > self.rebuilt_at {
            self.status.open.store(true, Ordering::Release);
        }
        let under_way = self.commit.as_ref().map_or(0, |under_way| under_way.rows);
        let memory = self.assembly.since_cut(self.elsewhere_bytes()).memory_bytes;
        self.count(self.assembly.rows_waiting() + under_way, memory);
    }

    /// The last input whose outputs are all where they belong: in files being built, and acknowledged by their topics.
    fn handled(&self) -> i64 {
        let outputs = self.acknowledgements.iter().zip(&self.assembly.topics);
        let behind = outputs.filter_map(|(progress, state)| {
            let acknowledged = progress.borrow().source_offset;
            (acknowledged < state.last_output).then_some(acknowledged)
        });
        let taken = self.assembly.next() - 1;
        behind.min().map_or(taken, |offset| offset.min(taken))
    }

    fn count(&mut self, rows: u64, memory: u64) {
        let status = &self.stage.status;
        // Wrapping: what is added may be negative.
        status
            .rows_uncommitted
            .fetch_add(rows.wrapping_sub(self.counted.rows), Ordering::AcqRel);
        status
            .memory_bytes
            .fetch_add(memory.wrapping_sub(self.counted.memory), Ordering::Relaxed);
        self.counted = Counted { rows, memory };
    }
}

type Ended = Result<Result<Committed, StageError>, tokio::task::JoinError>;

async fn ended(commit: &mut Option<UnderWay>) -> Ended {
    match commit {
        Some(under_way) => (&mut under_way.task).await,
        None => std::future::pending().await,
    }
}

/// Resolves when the stage was told to stop and waited as long as it may.
async fn patience(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_TIMEOUT).await;
}

/// Resolves when an output topic has acknowledged something.
async fn acknowledged(topics: &mut [watch::Receiver<Acknowledged>]) {
    // A topic that cannot be written any more says nothing: `failure` tells why.
    let changes = topics.iter_mut().map(|topic| {
        Box::pin(async {
            if topic.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    });
    let changes: Vec<_> = changes.collect();
    match changes.is_empty() {
        true => std::future::pending().await,
        false => drop(select_all(changes).await),
    }
}

/// Resolves when an output topic cannot be written any more.
async fn failure(outputs: &mut [Output]) -> OutputError {
    if outputs.is_empty() {
        return std::future::pending().await;
    }
    let failures = outputs.iter_mut().map(|o| Box::pin(o.topic.failure()));
    select_all(failures).await.0
}
