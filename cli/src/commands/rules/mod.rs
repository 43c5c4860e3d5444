//! `coinlake rules`: alert rules of the user's.
//!
//! - [`check`] tries them on the lake's past: [`replay`] reads it, [`report`] is what comes of it

mod check;
mod replay;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use self::check::CheckArgs;

#[derive(Subcommand)]
pub(crate) enum RulesCommand {
    /// Check rules and show how often each would have fired over the lake's past; exits with 1 if there is a problem
    Check(CheckArgs),
}

impl RulesCommand {
    /// The file of secrets that the platform's last start used.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        let Self::Check(args) = self;
        args.secrets_file()
    }
}

pub(crate) async fn run(command: RulesCommand) -> Result<ExitCode> {
    match command {
        RulesCommand::Check(args) => check::run(args).await,
    }
}
