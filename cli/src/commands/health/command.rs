//! Checks once, or again and again, and prints what was found.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

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
    print(&args, &report, false)?;
    Ok(report.exit_code())
}

/// Checks until interrupted; returns the exit code of the last check.
async fn watch(args: &HealthArgs) -> Result<ExitCode> {
    let interrupted = shutdown::on_signal();
    let in_place = io::stdout().is_terminal() && !args.json;
    let mut checker = Checker::new(&args.target);
    let mut interval = tokio::time::interval(WATCH_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = ExitCode::SUCCESS;
    loop {
        let check = async {
            interval.tick().await;
            checker.check().await
        };
        let report = tokio::select! {
            report = check => report,
            () = interrupted.cancelled() => return Ok(last),
        };
        print(args, &report, in_place)?;
        last = report.exit_code();
    }
}

fn print(args: &HealthArgs, report: &HealthReport, in_place: bool) -> Result<()> {
    if args.json {
        let mut json = serde_json::to_value(report)?;
        // Scripts get only the messages.
        let problems = report.survey.problems.iter();
        json["problems"] = problems.map(|problem| problem.message.clone()).collect();
        println!("{json}");
        return Ok(());
    }
    let mut screen = screen::render(report);
    if args.watch {
        let time = jiff::Zoned::now().strftime("%F %T");
        screen += &format!(
            "looked at {time}, every {} s; Ctrl-C ends\n",
            WATCH_INTERVAL.as_secs()
        );
    }
    if in_place {
        // Overwrites the last screen line by line: clearing it first would flicker.
        screen = format!("\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"));
    }
    // Removes colours if stdout is not a terminal or NO_COLOR is set.
    let mut out = anstream::stdout();
    out.write_all(screen.as_bytes())?;
    out.flush()?;
    Ok(())
}
