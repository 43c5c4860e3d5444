//! Checks once, or every two seconds with `--watch`, and prints what was found.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anyhow::Result;
use clap::Args;
use connector_runtime::process::shutdown;
use tokio::time::MissedTickBehavior;

use super::checker::Checker;
use super::report::HealthReport;
use super::screen;
use crate::args::TargetArgs;

const WATCH_INTERVAL: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Print the report as a JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Check every two seconds until Ctrl-C; with --json print one line per check
    #[arg(long)]
    watch: bool,
}

/// Prints a health report; the exit code says whether there is a problem.
pub(crate) async fn run(args: HealthArgs) -> Result<ExitCode> {
    if args.watch {
        return watch(&args).await;
    }
    let report = Checker::new(&args.target).check().await;
    let _ = print(&args, &report)?;
    Ok(report.exit_code())
}

/// Checks until interrupted; returns the exit code of the last check, which is a failure before the first.
async fn watch(args: &HealthArgs) -> Result<ExitCode> {
    let interrupted = shutdown::on_signal();
    let mut checker = Checker::new(&args.target);
    let mut interval = tokio::time::interval(WATCH_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = ExitCode::FAILURE;
    loop {
        let check = async {
            interval.tick().await;
            checker.check().await
        };
        let report = tokio::select! {
            report = check => report,
            () = interrupted.cancelled() => return Ok(last),
        };
        last = report.exit_code();
        if print(args, &report)?.is_break() {
            return Ok(last);
        }
    }
}

/// Breaks where nobody reads any more: a reader that has seen enough, such as `head`, makes nothing unhealthy.
fn print(args: &HealthArgs, report: &HealthReport) -> Result<ControlFlow<()>> {
    let text = match args.json {
        true => format!("{}\n", report.to_json()?),
        false => for_people(args, report),
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        written => Ok(ControlFlow::Continue(written?)),
    }
}

fn for_people(args: &HealthArgs, report: &HealthReport) -> String {
    let mut screen = screen::render(report);
    if args.watch {
        let time = jiff::Zoned::now().strftime("%F %T %Z");
        screen += &format!(
            "checked at {time}, every {} s; Ctrl-C ends\n",
            WATCH_INTERVAL.as_secs()
        );
    }
    let out = io::stdout();
    let screen = match AutoStream::choice(&out) {
        ColorChoice::Never => anstream::adapter::strip_str(&screen).to_string(),
        _ => screen,
    };
    if args.watch && out.is_terminal() {
        // Overwrites the last screen line by line: clearing it first would flicker.
        return format!("\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"));
    }
    screen
}
