//! The `coinlake` command.
//!
//! - [`cli`]: the command line, parsed
//! - [`dispatch`]: runs the command that was asked for
//! - [`commands`]: a file or folder for each command
//! - [`args`]: options that several commands share
//! - [`platform`]: broker, source and stages in this process
//! - [`deployment`]: compares a cluster with what this command ships, and changes it
//! - [`models`]: where trained models are stored, and which are in production
//! - [`assets`]: what this command ships: topics, table formats, connector configs, SmartModules

mod args;
mod assets;
mod cli;
mod commands;
mod deployment;
mod dispatch;
mod models;
mod platform;

use std::process::ExitCode;

use clap::Parser;
use connector_runtime::process::log;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::init(cli.log_format, &cli.log_filter());
    log::exit_code("coinlake", dispatch::run(cli.command))
}
