//! The command line: global options and commands.

use clap::{Parser, Subcommand};
use connector_runtime::process::log::{self, LogFormat};

use crate::commands::console::ConsoleArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::deploy::DeployArgs;
use crate::commands::health::HealthArgs;
use crate::commands::notify::NotifyArgs;
use crate::commands::train::TrainCommand;
use crate::commands::up::UpArgs;

/// In a terminal, logs must not drown the command's own output. The fluvio client logs every connection that ends as an
/// error, even when we close it.
const TERMINAL_LOG_FILTER: &str = "warn,fluvio::sync=off,fluvio_socket::stream=off";

/// The synthetic market contains broken payloads on purpose; the summary counts them.
const SYNTHETIC_MARKET_LOG_FILTER: &str = ",coingecko_source::poll=error";

/// A replay has nothing new to say once it has ended.
const REPLAY_LOG_FILTER: &str = ",coingecko_source::freshness=off";

#[derive(Parser)]
#[command(
    name = "coinlake",
    version,
    about = "Streams crypto market data through a Fluvio broker into a Parquet lake"
)]
pub(crate) struct Cli {
    /// Format of log lines; RUST_LOG selects what is logged
    #[arg(long, value_enum, default_value_t, global = true)]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole platform on this machine, fed from a recording or a synthetic market
    Demo(DemoArgs),
    /// Run the whole platform on this machine, fed from CoinGecko
    Up(UpArgs),
    /// Create or update topics, SmartModules and table formats on a Fluvio cluster
    Deploy(DeployArgs),
    /// Send alerts to a webhook
    Notify(NotifyArgs),
    /// Check broker, topics, SmartModules, stages and lake; exits with 1 if there is a problem
    Health(HealthArgs),
    /// Train models on the lake, compare them and promote them
    #[command(subcommand)]
    Train(TrainCommand),
    /// Serve the web console of a platform that runs elsewhere
    Console(ConsoleArgs),
}

impl Cli {
    /// What is logged unless `RUST_LOG` says otherwise.
    pub(crate) fn log_filter(&self) -> String {
        let mut filter = match (&self.command, self.log_format) {
            (Command::Notify(_), _) | (_, LogFormat::Json) => log::CONNECTOR_FILTER,
            _ => TERMINAL_LOG_FILTER,
        }
        .to_owned();
        if let Command::Demo(args) = &self.command {
            filter += REPLAY_LOG_FILTER;
            if args.is_synthetic() {
                filter += SYNTHETIC_MARKET_LOG_FILTER;
            }
        }
        filter
    }
}
