//! The `coinlake` command: the one-machine platform, deployment, health, training and console.

mod assets;
mod console;
mod data_dir;
mod demo;
mod deploy;
mod health;
mod memory;
mod notify;
mod platform;
mod progress;
mod serving;
mod summary;
mod target;
mod train;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use connector_runtime::process::log::{self, LogFormat};

#[derive(Parser)]
#[command(
    name = "coinlake",
    version,
    about = "Crypto market data through a Fluvio broker into a Parquet lake"
)]
struct Cli {
    /// How log lines look; RUST_LOG chooses what is logged
    #[arg(long, value_enum, default_value_t, global = true)]
    log_format: LogFormat,
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
    /// Tell of alerts through a webhook
    Notify(notify::Options),
    /// Check broker, topics, SmartModules, stages and lake; exit code 1 when something is wrong
    Health(health::Options),
    /// Models learned from the lake: train, look at and promote them
    #[command(subcommand)]
    Train(train::Command),
    /// Serve the web page of a platform that runs elsewhere
    Console(console::Options),
}

/// A terminal is for what commands say. (The fluvio client reports every connection that ends as an error, also when we
/// end it ourselves.)
const TERMINAL_FILTER: &str = "warn,fluvio::sync=off,fluvio_socket::stream=off";

impl Cli {
    /// What is logged unless `RUST_LOG` says otherwise.
    fn filter(&self) -> String {
        let mut filter = match (&self.command, self.log_format) {
            (Command::Notify(_), _) | (_, LogFormat::Json) => log::CONNECTOR_FILTER,
            _ => TERMINAL_FILTER,
        }
        .to_owned();
        if matches!(&self.command, Command::Demo(options) if options.is_made_up()) {
            // The made-up market holds broken payloads on purpose; the summary counts them.
            filter += ",coingecko_source::poll=error";
        }
        filter
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::init(cli.log_format, &cli.filter());
    log::exit_code("coinlake", run(cli.command))
}

#[tokio::main]
async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(options) => demo::run(options).await?,
        Command::Up(options) => up::run(options).await?,
        Command::Console(options) => console::run(options).await?,
        Command::Deploy(options) => deploy::run(options).await?,
        Command::Notify(options) => notify::run(options).await?,
        Command::Health(options) => return health::run(options).await,
        Command::Train(command) => train::run(command).await?,
    }
    Ok(ExitCode::SUCCESS)
}
