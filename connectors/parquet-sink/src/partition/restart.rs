//! Runs one partition, from its last commit until the stage stops.
//!
//! Always true: after any trouble that may pass, a partition restarts from its last commit, the same way as after a crash;
//! there is no second recovery. A SmartModule that replaced a working one does not end the stage when it fails, nor does one
//! that is deleted: the operator puts another in its place.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use connector_runtime::backoff::Backoff;
use tokio_util::sync::CancellationToken;

use super::open::open;
use super::pipeline::Finished;
use crate::config::Accept;
use crate::context::StageContext;
use crate::error::StageError;
use crate::input::ModuleError;
use crate::recovery::{commit_acceptance, gather, resume};
use crate::status::TroubleSpot;

/// A partition that ran this long before it failed, or committed something, restarts at once.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Runs a partition until the stage stops, and restarts it after trouble that may pass.
///
/// # Errors
/// The first error that a restart cannot mend.
pub(crate) async fn run(stage: Arc<StageContext>, partition: u32) -> Result<(), StageError> {
    let mut backoff = Backoff::new();
    let trouble = TroubleSpot::new(&stage.status, format!("partition {partition}"));
    let committed = &stage.status.partition(partition).committed_offset;
    let mut module_was_replaced = false;
    loop {
        let started = Instant::now();
        let committed_before = committed.load(Ordering::Acquire);
        let error = match run_once(&stage, partition, &trouble).await {
            Ok(Finished::Stopped) => return Ok(()),
            Ok(Finished::Reopen) => {
                backoff.reset();
                module_was_replaced = true;
                continue;
            }
            Err(error) => error,
        };
        let may_pass = error.is_transient()
            || matches!(error, StageError::StoppedUncommitted { .. })
            || module_was_replaced && error.is_a_modules_fault()
            || stage.was_open(partition)
                && matches!(error, StageError::Module(ModuleError::Missing(_)));
        if !may_pass {
            return Err(error);
        }
        if stage.stop.is_cancelled() {
            tracing::warn!(stage = stage.plan.name, partition, "{error}");
            return Ok(());
        }
        stage.status.restarts.fetch_add(1, Ordering::Relaxed);
        stage.meters.restarts.increment(1);
        trouble.set(&error);
        let got_further = committed.load(Ordering::Acquire) > committed_before;
        if got_further || started.elapsed() >= HEALTHY_AFTER {
            backoff.reset();
        }
        if !wait_to_retry(&stage.plan.name, &error, backoff.next_delay(), &stage.stop).await {
            return Ok(());
        }
    }
}

/// From the last commit until something ends the pipeline.
async fn run_once(
    stage: &Arc<StageContext>,
    partition: u32,
    trouble: &TroubleSpot,
) -> Result<Finished, StageError> {
    if stage.stop.is_cancelled() {
        return Ok(Finished::Stopped);
    }
    let name = &stage.plan.name;
    let client = Arc::new(stage.cluster.connect().await?);
    // What the operator accepted is in the lake once the partition was open. What changes later is another change.
    let accept = match stage.was_open(partition) {
        true => Accept::default(),
        false => stage.plan.accept,
    };
    let facts = gather(stage, &client, partition, accept).await?;
    let plan = resume(&facts)?;
    for warning in &plan.warnings {
        tracing::warn!(stage = name, partition, "{warning}");
    }
    tracing::info!(
        stage = name,
        partition,
        committed = plan.committed,
        open_at = plan.open_at,
        "resuming"
    );
    commit_acceptance(stage, &facts, &plan).await?;
    let main = facts.lake.main.as_ref();
    if let Some(main) = main {
        stage.meters.last_commit(partition, main.committed_at_ms);
    }
    let pipeline = open(stage.clone(), client, partition, &plan).await?;
    trouble.clear();
    stage.opened.lock().insert(partition);
    if main.is_some_and(|main| main.modules != pipeline.modules()) {
        tracing::info!(
            stage = name,
            partition,
            "the SmartModule or its parameters changed: new outputs come from the new one"
        );
    }
    pipeline.run().await
}

/// Logs an error and waits; false when the stage was stopped meanwhile.
async fn wait_to_retry(
    stage: &str,
    error: &StageError,
    delay: Duration,
    stop: &CancellationToken,
) -> bool {
    tracing::warn!(stage, "{error}; retrying in {delay:?}");
    tokio::select! {
        () = tokio::time::sleep(delay) => true,
        () = stop.cancelled() => false,
    }
}
