//! Checks once, or every two seconds with `--watch`, and prints what was found.

use std::io::{self, IsTerminal, Write};
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
    match print(&args, &report) {
        // A reader that has seen enough, such as `head`, makes nothing unhealthy.
        Err(error) if !has_left(&error) => Err(error),
        _ => Ok(report.exit_code()),
    }
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
        print(args, &report)?;
        last = report.exit_code();
    }
}

fn has_left(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn print(args: &HealthArgs, report: &HealthReport) -> Result<()> {
    if args.json {
        writeln!(io::stdout(), "{}", report.to_json()?)?;
        return Ok(());
    }
    let mut screen = screen::render(report);
    if args.watch {
        let time = jiff::Zoned::now().strftime("%F %T %Z");
        screen += &format!(
            "checked at {time}, every {} s; Ctrl-C ends\n",
            WATCH_INTERVAL.as_secs()
        );
    }
    let mut out = io::stdout().lock();
    let mut screen = match AutoStream::choice(&out) {
        ColorChoice::Never => anstream::adapter::strip_str(&screen).to_string(),
        _ => screen,
    };
    if args.watch && out.is_terminal() {
        // Overwrites the last screen line by line: clearing it first would flicker.
        screen = format!("\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"));
    }
    out.write_all(screen.as_bytes())?;
    out.flush()?;
    Ok(())
}
