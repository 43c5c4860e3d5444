//! `coinlake rules check`: how often rules would have fired.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::log;
use trainer::data::open_lake;

use super::replay::replay;
use super::report::Report;
use crate::platform::DataDir;
use crate::settings::{RulesFile, SettingsProblems};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// A JSON list of rules, or a settings file with `alerts.rules`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Data directory of `coinlake up` or `demo` whose lake is read [default: that of the settings file]
    #[arg(long, value_name = "DIR", conflicts_with = "lake")]
    data: Option<PathBuf>,
    /// The lake to read: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Print the result as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    /// The file of secrets that the platform's last start used.
    pub(super) fn secrets_file(&self) -> Option<PathBuf> {
        if self.lake.is_some() {
            return None;
        }
        // A file that cannot be read is explained when the command runs.
        let of_file = || RulesFile::read(&self.file).ok().map(|file| file.data);
        let data = self.data.clone().or_else(of_file)?;
        DataDir::at(&data).secrets_file()
    }
}

/// Prints what the rules would have done; or every problem of theirs, with exit code 1.
pub(super) async fn run(args: CheckArgs) -> Result<ExitCode> {
    let file = match RulesFile::read(&args.file) {
        Ok(file) => file,
        Err(SettingsProblems(problems)) => {
            for problem in problems {
                log::complain("coinlake", &problem.into());
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let address = match args.lake {
        Some(lake) => lake,
        None => {
            let data = DataDir::existing(&args.data.unwrap_or(file.data))?;
            data.lake(data.last_start()?.lake.as_deref())
        }
    };
    let lake = open_lake(&address)?;
    let past = replay(&lake, &file.rules).await?;
    let report = Report::of(&file.rules, &past, address);
    match args.json {
        true => outln!("{}", serde_json::to_string(&report)?),
        false => report.print(),
    }
    Ok(ExitCode::SUCCESS)
}
