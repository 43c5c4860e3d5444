//! A stage: for each input partition one stream, one set of open files, one position.
//!
//! Always true: partitions know nothing of each other. After any trouble that may pass, a partition begins again from its
//! last commit, which is the same way it begins after a crash; there is no second recovery. A SmartModule that took the
//! place of one that worked does not end the stage when it fails: whoever put it there puts another.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::{self, LogRange};
use connector_runtime::retry::Reconnect;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use futures_util::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::commit::{hash, record_at};
use crate::config::StageConfig;
use crate::doubles::greatest_source_at;
use crate::error::StageError;
use crate::hooks::Hooks;
use crate::meters::Meters;
use crate::outputs;
use crate::pipeline::{Finished, Pipeline};
use crate::plan::StagePlan;
use crate::recover::{Facts, TopicFacts, resume};
use crate::status::{StageStatus, TroubleSpot};
use lake::Lake;

/// A partition that ran so long before it failed, or committed something, begins again at once.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// What all partitions of a running stage share.
pub(crate) struct Stage {
    pub plan: StagePlan,
    /// The input topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// The consumer id under which progress is shown.
    pub consumer_id: String,
    pub cluster: Cluster,
    pub lake: Lake,
    pub status: Arc<StageStatus>,
    pub meters: Arc<Meters>,
    pub stop: CancellationToken,
    pub hooks: Hooks,
    /// Which run this is.
    pub writer: String,
    /// What each partition may hold in memory.
    pub memory_max: u64,
}

/// Runs a stage until `stop` is cancelled; then what was read is committed.
///
/// # Errors
/// One sentence, when something is wrong that does not pass by itself.
pub fn run(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    run_with(config, cluster, stop, status, Hooks::default())
}

/// [`run`], for tests that end it between the steps of a commit.
///
/// # Errors
/// As [`run`]; `killed by a test` when a hook said so.
#[doc(hidden)]
pub fn run_with(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
    hooks: Hooks,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        status.started();
        let result = land(config, cluster, stop, status.clone(), hooks).await;
        status.ended(&result);
        result
    })
}

async fn land(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
    hooks: Hooks,
) -> anyhow::Result<()> {
    let plan = StagePlan::new(&config)?;
    let lake = Lake::open(&plan.lake)?;
    let Some(partitions) = prepare(&config, &plan, &cluster, &stop).await? else {
        return Ok(());
    };
    let share = config.meta.consumer.partition.resolve(partitions);
    let share = share.map_err(|e| StageError::Partitions(e.to_string()))?;
    let share = config.settings.share.of(share);
    if share.is_empty() {
        return Err(StageError::NothingToDo {
            share: config.settings.share,
            topic: config.meta.topic.name.clone(),
            partitions,
        }
        .into());
    }
    // When one partition fails for good, the others stop in order.
    let stop = stop.child_token();
    let stage = Arc::new(Stage {
        memory_max: plan.limits.memory_max.as_u64() / share.len() as u64,
        topic: config.meta.topic.name.clone(),
        consumer_id: config.consumer_id().to_owned(),
        meters: Arc::new(Meters::new(&plan, &config.meta.topic.name)),
        writer: format!("{:016x}", rand::random::<u64>()),
        stop: stop.clone(),
        plan,
        partitions,
        cluster,
        lake,
        status,
        hooks,
    });
    for partition in &share {
        stage.status.partition(*partition);
    }
    let _pulse = AbortOnDropHandle::new(tokio::spawn(pulse(stage.clone(), share.clone())));
    let mut tasks = JoinSet::new();
    for partition in share {
        tasks.spawn(partition_loop(stage.clone(), partition));
    }
    let mut first_error = None;
    while let Some(ended) = tasks.join_next().await {
        let error = match ended {
            Ok(Ok(())) => continue,
            Ok(Err(StageError::Killed)) => {
                tasks.abort_all();
                StageError::Killed
            }
            Ok(Err(error)) => error,
            Err(e) => StageError::Ended(e.to_string()),
        };
        stop.cancel();
        first_error.get_or_insert(error);
    }
    match first_error {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// Makes sure that the topics are there; returns the input's partition count, `None` when stopped before.
async fn prepare(
    config: &StageConfig,
    plan: &StagePlan,
    cluster: &Cluster,
    stop: &CancellationToken,
) -> Result<Option<u32>, StageError> {
    let mut pause = Reconnect::new();
    loop {
        let error = match topics(config, plan, cluster).await {
            Ok(partitions) => return Ok(Some(partitions)),
            Err(e) if e.is_transient() => e,
            Err(e) => return Err(e),
        };
        if !wait(&plan.name, &error, pause.next_delay(), stop).await {
            return Ok(None);
        }
    }
}

async fn topics(
    config: &StageConfig,
    plan: &StagePlan,
    cluster: &Cluster,
) -> Result<u32, StageError> {
    let client = cluster.connect().await?;
    let input = &config.meta.topic;
    let partitions = ensure_topic(&client, input).await?;
    for (_, output) in plan.topics() {
        // Partition i is written from partition i.
        let wanted = TopicSettings::named(output).with_partitions(partitions);
        ensure_topic(&client, &wanted).await?;
    }
    Ok(partitions)
}

/// Says what is wrong and waits; false when the stage was stopped meanwhile.
async fn wait(name: &str, error: &StageError, delay: Duration, stop: &CancellationToken) -> bool {
    tracing::warn!(stage = name, "{error}; trying again in {delay:?}");
    tokio::select! {
        () = tokio::time::sleep(delay) => true,
        () = stop.cancelled() => false,
    }
}

/// Asks where the input ends, and tells how far behind the stage is.
async fn pulse(stage: Arc<Stage>, share: Vec<u32>) {
    let (status, meters) = (&stage.status, &stage.meters);
    let seen = |number, log: LogRange| {
        let partition = status.partition(number);
        if partition.open.load(Ordering::Acquire) {
            let next = partition.next_input().max(log.start);
            meters.lag(number, (log.end - next).max(0));
        }
        let rows = status.rows_uncommitted.load(Ordering::Relaxed);
        meters.uncommitted_rows.set(rows as f64);
        let bytes = status.memory_bytes.load(Ordering::Relaxed);
        meters.memory_bytes.set(bytes as f64);
    };
    let pulse = &status.pulse;
    pulse.keep(&stage.cluster, &stage.topic, &share, seen).await;
}

async fn partition_loop(stage: Arc<Stage>, partition: u32) -> Result<(), StageError> {
    let mut pause = Reconnect::new();
    let trouble = TroubleSpot::new(&stage.status, format!("partition {partition}"));
    let committed = &stage.status.partition(partition).committed_offset;
    let mut outputs_are_new = false;
    let mut module_was_replaced = false;
    loop {
        let started = Instant::now();
        let committed_before = committed.load(Ordering::Acquire);
        let error = match one_run(&stage, partition, &trouble, &mut outputs_are_new).await {
            Ok(Finished::Stopped) => return Ok(()),
            Ok(Finished::Reopen) => {
                pause.reset();
                module_was_replaced = true;
                continue;
            }
            Err(e) => e,
        };
        let may_pass = error.is_transient()
            || matches!(error, StageError::StoppedUncommitted { .. })
            || module_was_replaced && error.is_a_modules_fault();
        match error {
            e if !may_pass => return Err(e),
            e if stage.stop.is_cancelled() => {
                tracing::warn!(stage = stage.plan.name, partition, "{e}");
                return Ok(());
            }
            e => {
                stage.status.restarts.fetch_add(1, Ordering::Relaxed);
                stage.meters.restarts.increment(1);
                trouble.set(&e);
                let got_further = committed.load(Ordering::Acquire) > committed_before;
                if got_further || started.elapsed() >= HEALTHY_AFTER {
                    pause.reset();
                }
                if !wait(&stage.plan.name, &e, pause.next_delay(), &stage.stop).await {
                    return Ok(());
                }
            }
        }
    }
}

/// From the last commit until something ends it.
async fn one_run(
    stage: &Arc<Stage>,
    partition: u32,
    trouble: &TroubleSpot,
    outputs_are_new: &mut bool,
) -> Result<Finished, StageError> {
    if stage.stop.is_cancelled() {
        return Ok(Finished::Stopped);
    }
    let client = Arc::new(stage.cluster.connect().await?);
    let layers: Vec<String> = stage.plan.layers().map(|(_, l)| l.name.clone()).collect();
    let swept = stage.lake.sweep(&layers, &stage.topic, partition).await?;
    if swept > 0 {
        tracing::info!(
            stage = stage.plan.name,
            partition,
            swept,
            "removed leftovers of an interrupted write"
        );
    }
    let (mut facts, main_day) = facts(stage, &client, partition, &layers).await?;
    facts.outputs_are_new = *outputs_are_new;
    let plan = resume(&facts)?;
    *outputs_are_new = plan.made_anew;
    for warning in &plan.warnings {
        tracing::warn!(stage = stage.plan.name, partition, "{warning}");
    }
    tracing::info!(
        stage = stage.plan.name,
        partition,
        committed = plan.committed,
        open_at = plan.open_at,
        "going on"
    );
    if let Some(stamp) = &facts.main {
        stage.meters.last_commit(partition, stamp.committed_at_ms);
    }
    let before = facts.main.as_ref().map(|stamp| stamp.modules.as_slice());
    let pipeline = Pipeline::open(stage.clone(), client, partition, &plan, main_day).await?;
    trouble.clear();
    if let Some(before) = before
        && before != pipeline.modules()
    {
        tracing::info!(
            stage = stage.plan.name,
            partition,
            "the SmartModule or its parameters changed: new outputs come from the new one"
        );
    }
    pipeline.run().await
}

/// Reads everything [`resume`] decides from; also the day of the main layer's newest file.
async fn facts(
    stage: &Stage,
    client: &Client,
    partition: u32,
    layers: &[String],
) -> Result<(Facts, Option<i32>), StageError> {
    let topic = &stage.topic;
    let mut stamps = Vec::with_capacity(layers.len());
    let mut main_day = None;
    for (i, layer) in layers.iter().enumerate() {
        let newest = stage.lake.newest(layer, topic, partition).await?;
        stamps.push(match newest {
            Some(file) => {
                if i == 0 {
                    main_day = file.date().and_then(crate::file::day_of);
                }
                Some(stage.lake.stamp(&file.path).await?)
            }
            None => None,
        });
    }
    let main = stamps.remove(0);
    let record_hash = match &main {
        Some(stamp) => record_at(client, topic, partition, stamp.last_offset).await?,
        None => None,
    };
    let log = reader::offsets(client, topic, partition).await?;
    let greatest_at = match &main {
        Some(stamp) if stage.plan.derived && !stage.plan.transforms.is_empty() => {
            greatest_source_at(client, topic, partition, log, stamp.last_offset).await?
        }
        _ => None,
    };
    let mut topics = Vec::new();
    for (_, output) in stage.plan.topics() {
        // Both from one record: between two questions a late append of a dead process could arrive.
        let tail = outputs::tail(client, output, partition).await?;
        let mut log = reader::offsets(client, output, partition).await?;
        log.end = tail.map_or(log.start, |tail| tail.offset + 1);
        topics.push(TopicFacts {
            name: output.to_owned(),
            log,
            tail: tail.map(|tail| tail.source_offset),
        });
    }
    let facts = Facts {
        topic: topic.clone(),
        partition,
        partitions: stage.partitions,
        log,
        main,
        greatest_at,
        record_hash: record_hash.as_ref().map(hash),
        side_layers: stamps,
        topics,
        accept: stage.plan.accept,
        outputs_are_new: false,
    };
    Ok((facts, main_day))
}
