//! The `coinlake` command: the one-machine platform, deployment and health.

mod assets;
mod data_dir;
mod demo;
mod deploy;
mod health;
mod platform;
mod progress;
mod summary;
mod up;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "coinlake", version, about = "Crypto market data through a Fluvio broker into a Parquet lake")]
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
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(Cli::parse().command) {
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
    }
    Ok(ExitCode::SUCCESS)
}
