//! Training at an interval: `coinlake train run` in a child process of low priority, so that it takes neither memory nor time
//! from the platform.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use connector_runtime::process::log;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;

/// How often the clock is looked at. A timer would stand still while the machine sleeps.
const CLOCK_INTERVAL: Duration = Duration::from_secs(30);

/// How long a training may take to end when it is told to.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct RetrainingPlan {
    pub(crate) every: Duration,
    /// Only rows of this long before the newest; `None` for all.
    pub(crate) since: Option<Duration>,
}

/// Trains on the platform in `data` at the plan's interval, counted over restarts, until `stop`. The first training comes an
/// interval after the first start, when there is something to learn from.
pub(crate) async fn retrain(
    plan: RetrainingPlan,
    data: DataDir,
    smartmodules: Option<PathBuf>,
    stop: CancellationToken,
) {
    let mut clock = tokio::time::interval(CLOCK_INTERVAL.min(plan.every));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let trained = async {
            if is_due(&data, plan.every)? {
                train(&plan, &data, smartmodules.as_deref(), &stop).await?;
            }
            anyhow::Ok(())
        };
        // Next time the lake may be large enough, or the server reachable.
        let failure = trained.await.err().map(|error| format!("{error:#}"));
        if let Some(failure) = failure.as_ref().filter(|it| told.as_ref() != Some(*it)) {
            tracing::warn!("training failed: {failure}");
        }
        // A lasting one is told once, and again after a training.
        told = failure.or(told);
    }
}

/// Whether it is time; then the next interval begins, whatever becomes of this training.
fn is_due(data: &DataDir, every: Duration) -> Result<bool> {
    let now = Timestamp::now();
    let due = match data.training_since()? {
        // A clock that was set back must not end the training for good.
        Some(last) => now.duration_since(last).unsigned_abs() >= every,
        None => false,
    };
    if due || data.training_since()?.is_none() {
        data.set_training_since(now)?;
    }
    Ok(due)
}

async fn train(
    plan: &RetrainingPlan,
    data: &DataDir,
    smartmodules: Option<&Path>,
    stop: &CancellationToken,
) -> Result<()> {
    let command = std::env::current_exe().context("the path of this command is unknown")?;
    let mut child = Command::new("nice");
    child.args(["-n", "19"]).arg(command);
    child.args(["train", "run", "--data"]).arg(data.root());
    if let Some(since) = plan.since {
        let since = humantime::format_duration(since).to_string();
        child.args(["--since", &since]);
    }
    if let Some(folder) = smartmodules {
        child.arg("--smartmodules").arg(folder);
    }
    let child = child
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("`nice` cannot be started")?;
    let Some(output) = finished(child, stop).await? else {
        return Ok(());
    };
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let said = lines(&output.stderr);
        let why = said.lines().last().unwrap_or("it says nothing");
        bail!("{}", why.trim_start_matches("coinlake: "));
    }
    for line in lines(&output.stdout).lines() {
        log::say(&format!("training: {line}"));
    }
    Ok(())
}

/// What the child has said in the end; `None` if it was told to stop.
async fn finished(child: Child, stop: &CancellationToken) -> Result<Option<Output>> {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = child.wait_with_output();
    tokio::pin!(output);
    tokio::select! {
        output = &mut output => return Ok(Some(output?)),
        () = stop.cancelled() => {}
    }
    // It marks its run as interrupted. One that does not end is killed when `output` is dropped.
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = tokio::time::timeout(STOP_TIMEOUT, output).await;
    Ok(None)
}
