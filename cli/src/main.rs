//! The `coinlake` command.
//!
//! - [`cli`]: the command line, parsed
//! - [`dispatch`]: runs the command that was asked for
//! - [`commands`]: a file or folder for each command
//! - [`settings`]: `coinlake.yaml` and the options of `up`; [`environment`]: its secrets
//! - [`args`]: options that several commands share
//! - [`platform`]: broker, source and stages in this process
//! - [`deployment`]: compares a cluster with what this command ships, and changes it
//! - [`counted`]: numbers of things in messages; [`stdout`]: lines for whoever reads them
//! - [`models`]: where trained models are stored, and which are in production
//! - [`assets`]: what this command ships: topics, table formats, connector configs, SmartModules

#[macro_use]
mod stdout;

mod args;
mod assets;
mod cli;
mod commands;
mod counted;
mod deployment;
mod dispatch;
mod environment;
mod models;
mod platform;
mod settings;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use connector_runtime::process::log;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::init(cli.log_format, &cli.log_filter());
    log::exit_code("coinlake", run(cli.command))
}

fn run(command: Command) -> Result<ExitCode> {
    if let Some(path) = command.secrets_file()? {
        environment::load(&path)?;
    }
    match &command {
        Command::Demo(args) if args.in_a_hurry() => {}
        Command::Up(_) | Command::Demo(_) | Command::Backfill(_) | Command::Lake(_) => {
            platform::share_arenas();
        }
        _ => {}
    }
    dispatch::run(command)
}
