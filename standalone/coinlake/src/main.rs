//! The `coinlake` command: the one-machine platform, deployment, health and training.

mod assets;
mod data_dir;
mod demo;
mod deploy;
mod health;
mod platform;
mod progress;
mod serving;
mod summary;
mod train;
mod up;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(
    name = "coinlake",
    version,
    about = "Crypto market data through a Fluvio broker into a Parquet lake"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine, fed from a recording or a made-up market
    Demo(demo::Options),
    /// Run everything on this machine, fed from CoinGecko
    Up(up::Options),
    /// Bring topics, SmartModules and table formats onto a Fluvio cluster
    Deploy(deploy::Options),
    /// Check broker, topics, SmartModules, stages and lake; exit code 1 when something is wrong
    Health(health::Options),
    /// Models learned from the lake: train, look at and promote them
    #[command(subcommand)]
    Train(train::Command),
}

/// The fluvio client reports every connection that ends as an error, also when we end it ourselves.
const LOG_DEFAULT: &str = "warn,fluvio::sync=off";

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let mut filter = LOG_DEFAULT.to_owned();
    if matches!(&command, Command::Demo(options) if options.is_made_up()) {
        // The made-up market holds broken payloads on purpose; the summary counts them.
        filter += ",coingecko_source::poll=error";
    }
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter)),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("coinlake: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(options) => demo::run(options).await?,
        Command::Up(options) => up::run(options).await?,
        Command::Deploy(options) => deploy::run(options).await?,
        Command::Health(options) => return health::run(options).await,
        Command::Train(command) => train::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
