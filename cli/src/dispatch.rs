//! Runs the command that was asked for.

use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::commands::{
    backfill, check, completions, console, demo, deploy, health, init, lake, man, notify, rules,
    train, up,
};

/// # Errors
/// When the command fails. A `health` that finds problems and a `notify --test` that fails are no errors, but failing exit
/// codes.
#[tokio::main]
pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args).await?,
        Command::Up(args) => up::run(args).await?,
        Command::Backfill(args) => backfill::run(args).await?,
        Command::Init(args) => init::run(&args)?,
        Command::Check(args) => return check::run(args).await,
        Command::Console(args) => console::run(args).await?,
        Command::Completions(args) => completions::run(&args, Cli::command())?,
        Command::Man(args) => man::run(&args, Cli::command())?,
        Command::Deploy(args) => deploy::run(args).await?,
        Command::Notify(args) => return notify::run(args).await,
        Command::Health(args) => return health::run(args).await,
        Command::Lake(command) => lake::run(command).await?,
        Command::Rules(command) => return rules::run(command).await,
        Command::Train(command) => train::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
