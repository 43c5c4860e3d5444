//! Runs a stage: for each input partition one stream, one set of open files, one position.
//!
//! Always true: partitions know nothing of each other. When one fails for good, the others commit and stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connector_runtime::cluster::Cluster;
use connector_runtime::record::LogRange;
use connector_runtime::topic::wait_for_topics;
use futures_util::future::BoxFuture;
use lake::Lake;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{StageConfig, StagePlan};
use crate::context::StageContext;
use crate::error::StageError;
use crate::failpoints::Failpoints;
use crate::meters::Meters;
use crate::partition;
use crate::shares;
use crate::status::StageStatus;

/// Runs a stage until `stop` is cancelled; then it commits what was read.
///
/// # Errors
/// The first failure that no retry can mend, in one sentence with the remedy.
pub fn run(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
) -> BoxFuture<'static, anyhow::Result<()>> {
    run_with(config, cluster, stop, status, Failpoints::default())
}

/// [`run`] for tests that end it at a failpoint.
///
/// # Errors
/// As [`run`]; `killed by a test` at a failpoint.
#[doc(hidden)]
pub fn run_with(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
    failpoints: Failpoints,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        status.started();
        let result = land(config, cluster, stop, status.clone(), failpoints).await;
        status.ended(&result);
        result
    })
}

async fn land(
    config: StageConfig,
    cluster: Cluster,
    stop: CancellationToken,
    status: Arc<StageStatus>,
    failpoints: Failpoints,
) -> anyhow::Result<()> {
    let plan = StagePlan::new(&config)?;
    let lake = Lake::open(&plan.lake)?;
    // Outputs of input partition i go to output partition i.
    let outputs: Vec<&str> = plan.topics().map(|(_, output)| output).collect();
    let partitions = wait_for_topics(&cluster, &config.meta.topic, &outputs, &stop).await;
    let Some(partitions) = partitions.map_err(StageError::from)? else {
        return Ok(());
    };
    let selected = config.meta.consumer.partition.resolve(partitions);
    let selected = selected.map_err(|error| StageError::Partitions(error.to_string()))?;
    let topic = config.meta.topic.name.clone();
    let (share, pod) = (config.settings.share, config.settings.pod.clone());
    let told = status.clone();
    // One for all rounds of this run: a commit of the round before is its own.
    let writer = format!("{:016x}", rand::random::<u64>());
    let opened = Arc::default();
    let work = move |taken: Vec<u32>, stop: CancellationToken| {
        let stage = StageContext {
            memory_max: plan.limits.memory_max.as_u64() / taken.len().max(1) as u64,
            topic: config.meta.topic.name.clone(),
            consumer_id: config.consumer_id().to_owned(),
            meters: Meters::new(&plan, &config.meta.topic.name),
            writer: writer.clone(),
            opened: Arc::clone(&opened),
            plan: plan.clone(),
            partitions,
            cluster: cluster.clone(),
            lake: lake.clone(),
            tables: OnceCell::new(),
            status: status.clone(),
            stop,
            failpoints: failpoints.clone(),
        };
        Box::pin(run_partitions(Arc::new(stage), taken)) as BoxFuture<'static, _>
    };
    if let Some(pod) = pod {
        shares::follow(pod, selected, &told, stop, work).await?;
        return Ok(());
    }
    let named_all = selected.len() == partitions as usize;
    let taken = share.of(selected);
    if taken.is_empty() {
        let error = match named_all {
            true => StageError::NothingToDo {
                share,
                topic,
                partitions,
            },
            false => StageError::NoneNamed { share, topic },
        };
        return Err(error.into());
    }
    // A child: when one partition fails for good, the others commit and stop.
    work(taken, stop.child_token()).await?;
    Ok(())
}

/// Runs the partitions until the stage stops, or one of them fails for good.
async fn run_partitions(stage: Arc<StageContext>, partitions: Vec<u32>) -> Result<(), StageError> {
    stage.status.reads(&partitions);
    let health = tokio::spawn(watch_health(stage.clone(), partitions.clone()));
    let _health_watch = AbortOnDropHandle::new(health);
    if partitions.is_empty() {
        stage.stop.cancelled().await;
    }
    let mut tasks = JoinSet::new();
    for partition in &partitions {
        tasks.spawn(partition::run(stage.clone(), *partition));
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
            Err(error) => StageError::Ended(error.to_string()),
        };
        stage.stop.cancel();
        first_error.get_or_insert(error);
    }
    for partition in partitions {
        stage.meters.given_up(partition);
    }
    first_error.map_or(Ok(()), Err)
}

/// Asks the cluster where the input ends, and sets the gauges.
async fn watch_health(stage: Arc<StageContext>, share: Vec<u32>) {
    let (status, meters) = (&stage.status, &stage.meters);
    let seen = |number, log: LogRange| {
        let partition = status.partition(number);
        if partition.open.load(Ordering::Acquire) {
            let next = partition.next_input().max(log.start);
            meters.lag(number, (log.end - next).max(0));
        }
        meters.oldest_row(number, partition.oldest_row_ms.load(Ordering::Acquire));
        let rows = status.rows_uncommitted.load(Ordering::Relaxed);
        meters.uncommitted_rows.set(rows as f64);
        let bytes = status.memory_bytes.load(Ordering::Relaxed);
        meters.memory_bytes.set(bytes as f64);
    };
    let health = &status.cluster_health;
    health
        .watch(&stage.cluster, &stage.topic, &share, seen)
        .await;
}
