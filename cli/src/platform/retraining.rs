//! Training at an interval: `coinlake train run` in a child process of low priority, so that it takes neither memory nor time
//! from the platform.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use connector_runtime::process::log;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process, setpriority_process};
use tokio::process::{Child, Command};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;

/// How often the clock is looked at. A timer would stand still while the machine sleeps.
const CLOCK_INTERVAL: Duration = Duration::from_secs(30);

/// As `nice -n 19`.
const LOWEST_PRIORITY: i32 = 19;

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
    let mut unclear = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let outcome = match is_due(&data, plan.every) {
            Ok(false) => Outcome::Fine,
            // Next time the lake may be large enough, or the server reachable.
            Ok(true) => match train(&plan, &data, smartmodules.as_deref(), &stop).await {
                Ok(()) => Outcome::Fine,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
            Err(error) => Outcome::Unclear(format!("{error:#}")),
        };
        let warning;
        (warning, unclear) = outcome.warning(unclear);
        if let Some(warning) = warning {
            tracing::warn!("training failed: {warning}");
        }
    }
}

/// What came of one look at the clock.
enum Outcome {
    /// No training was due, or it succeeded.
    Fine,
    /// The training that was due failed.
    Failed(String),
    /// It is not known whether one is due.
    Unclear(String),
}

impl Outcome {
    /// What to warn of, and why it is unclear since the last warning: every failed training is told, but what a look at the clock finds
    /// once in 30 seconds only when it begins.
    fn warning(self, unclear: Option<String>) -> (Option<String>, Option<String>) {
        match self {
            Self::Fine => (None, None),
            Self::Failed(reason) => (Some(reason), None),
            Self::Unclear(reason) if unclear.as_ref() == Some(&reason) => (None, unclear),
            Self::Unclear(reason) => (Some(reason.clone()), Some(reason)),
        }
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
    let mut child = lowered(Command::new(this_program()?));
    child.arg0("coinlake");
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
        .context("it cannot be started")?;
    let Some(output) = finished(child, stop).await? else {
        return Ok(());
    };
    if let Some(why) = failure(&output) {
        bail!(why);
    }
    let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    for line in lines(&output.stderr).lines() {
        tracing::warn!("training: {line}");
    }
    for line in lines(&output.stdout).lines() {
        log::say(&format!("training: {line}"));
    }
    Ok(())
}

/// The program that runs here, though its file was replaced since.
fn this_program() -> Result<PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe().context("the path of this command is unknown"),
    }
}

/// The command at the lowest priority. There is no `nice` in the image.
fn lowered(mut command: Command) -> Command {
    // SAFETY: between fork and exec it makes a system call, and nothing else.
    unsafe { command.pre_exec(|| Ok(setpriority_process(None, LOWEST_PRIORITY)?)) };
    command
}

/// Why a training failed; `None` if it did not.
fn failure(output: &Output) -> Option<String> {
    match output.status.signal() {
        _ if output.status.success() => return None,
        Some(signal) if signal == Signal::KILL.as_raw() => {
            return Some(format!(
                "it was killed by signal {signal}: is there enough memory?"
            ));
        }
        Some(signal) => return Some(format!("it was ended by signal {signal}")),
        None => {}
    }
    // What else it said may be harmless.
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("coinlake: "));
    Some(reason.map_or_else(|| output.status.to_string(), str::to_owned))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_training_is_told_and_an_unreadable_note_once() {
        let failed = || Outcome::Failed("no rows".to_owned());
        let unclear = |why: &str| Outcome::Unclear(why.to_owned());
        let mut known = None;
        let mut warnings = |outcomes: Vec<Outcome>| {
            let mut told = Vec::new();
            for outcome in outcomes {
                let warning;
                (warning, known) = outcome.warning(known.take());
                told.extend(warning);
            }
            told
        };
        let told = warnings(vec![
            failed(),
            Outcome::Fine,
            Outcome::Fine,
            failed(),
            failed(),
        ]);
        assert_eq!(told, ["no rows"; 3]);
        let told = warnings(vec![
            unclear("disk"),
            unclear("disk"),
            unclear("note"),
            unclear("note"),
            Outcome::Fine,
            unclear("note"),
            unclear("note"),
        ]);
        assert_eq!(told, ["disk", "note", "note"]);
    }

    #[tokio::test]
    async fn a_training_has_the_lowest_priority() {
        // Without arguments it says its own.
        let output = lowered(Command::new("nice")).output().await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "19\n");
    }

    #[test]
    fn the_reason_of_a_failed_training_is_what_it_says_last_or_how_it_ended() {
        let why = |script: &str| {
            let mut shell = std::process::Command::new("sh");
            failure(&shell.args(["-c", script]).output().unwrap())
        };
        for (script, expected) in [
            ("echo harmless >&2", None),
            (
                "echo harmless >&2; kill -KILL $$",
                Some("it was killed by signal 9: is there enough memory?"),
            ),
            ("kill -TERM $$", Some("it was ended by signal 15")),
            ("exit 101", Some("exit status: 101")),
            ("echo harmless >&2; exit 1", Some("exit status: 1")),
            (
                "echo coinlake: no rows >&2; echo harmless >&2; exit 1",
                Some("no rows"),
            ),
        ] {
            assert_eq!(why(script).as_deref(), expected, "{script}");
        }
    }
}
