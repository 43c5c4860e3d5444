//! `coinlake check`: what is wrong with the settings, without starting anything.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::log;

use crate::settings::{RunPlan, SettingsArgs};

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// Prints what `up` would run; or every problem, with exit code 1.
pub(crate) async fn run(args: CheckArgs) -> Result<ExitCode> {
    let plan = match RunPlan::read(&args.settings) {
        Ok(plan) => plan,
        Err(problems) => {
            for problem in problems.0 {
                log::complain("coinlake", &problem.into());
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    plan.check_data().await?;
    outln!("{plan}");
    Ok(ExitCode::SUCCESS)
}
