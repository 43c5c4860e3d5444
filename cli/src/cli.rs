//! The command line: global options and commands.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use connector_runtime::process::log::{self, LogFormat};

use crate::commands::backfill::BackfillArgs;
use crate::commands::check::CheckArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::console::ConsoleArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::deploy::DeployArgs;
use crate::commands::health::HealthArgs;
use crate::commands::init::InitArgs;
use crate::commands::lake::LakeCommand;
use crate::commands::man::ManArgs;
use crate::commands::notify::NotifyArgs;
use crate::commands::rules::RulesCommand;
use crate::commands::train::TrainCommand;
use crate::commands::up::UpArgs;

/// In a terminal, logs must not drown the command's own output. The fluvio client logs every connection that ends as an
/// error, even when we close it.
const TERMINAL_LOG_FILTER: &str =
    "warn,fluvio::sync=off,fluvio_socket::stream=off,fluvio_socket::multiplexing=off";

/// The synthetic market contains broken payloads on purpose; the summary counts them.
const SYNTHETIC_MARKET_LOG_FILTER: &str = ",coingecko_source::poll=error";

/// A replay has nothing new to say once it has ended.
const REPLAY_LOG_FILTER: &str = ",coingecko_source::freshness=off";

#[derive(Parser)]
#[command(
    name = "coinlake",
    version,
    about = "Streams crypto market data through a Fluvio broker into Delta tables, alerts and models"
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
    /// Fill the past of an empty platform from CoinGecko's charts, and exit
    Backfill(BackfillArgs),
    /// Write a commented settings file for `up`
    Init(InitArgs),
    /// Check the settings of `up` without starting anything; exits with 1 if there is a problem
    Check(CheckArgs),
    /// Create or update topics, SmartModules and table formats on a Fluvio cluster
    Deploy(DeployArgs),
    /// Send alerts to a webhook
    Notify(NotifyArgs),
    /// Check broker, topics, SmartModules, stages and lake; exits with 1 if there is a problem
    Health(HealthArgs),
    /// Train models on the lake, compare them and promote them
    #[command(subcommand)]
    Train(TrainCommand),
    /// Look at the lake's tables, and keep them in order
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Try alert rules of your own
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Serve the web console of a platform that runs elsewhere
    Console(ConsoleArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write man pages into a folder
    Man(ManArgs),
}

impl Command {
    /// The file of `NAME=value` lines that become environment variables.
    ///
    /// # Errors
    /// When the settings that name it cannot be read.
    pub(crate) fn secrets_file(&self) -> Result<Option<PathBuf>> {
        Ok(match self {
            Self::Up(args) => args.settings.secrets_file()?,
            Self::Backfill(args) => args.settings().secrets_file()?,
            Self::Check(args) => args.settings.secrets_file()?,
            Self::Health(args) => args.target.secrets_file(),
            Self::Console(args) => args.target.secrets_file(),
            Self::Deploy(args) => args.secrets_file(),
            Self::Train(command) => command.secrets_file(),
            Self::Lake(command) => command.secrets_file(),
            Self::Rules(command) => command.secrets_file(),
            Self::Demo(_)
            | Self::Init(_)
            | Self::Notify(_)
            | Self::Completions(_)
            | Self::Man(_) => None,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &str) -> Result<Cli, clap::Error> {
        let words = std::iter::once("coinlake").chain(arguments.split(' '));
        Cli::try_parse_from(words)
    }

    fn refused(arguments: &str) -> String {
        let refused = parsed(arguments).err();
        refused
            .unwrap_or_else(|| panic!("accepted: {arguments}"))
            .to_string()
    }

    #[test]
    fn a_port_alone_is_an_address_everywhere() {
        for arguments in [
            "demo --listen 9003 --console 9080 --metrics-listen 9464",
            "up --listen 9003 --console 9080 --metrics-listen 9464",
            "check --listen 9003 --console 9080 --metrics-listen 9464",
            "console --listen 9080 --metrics-listen 9464",
            "notify --metrics-listen 9464",
            "train run --every 1h --metrics-listen 9464",
        ] {
            let parsed = parsed(arguments);
            assert!(parsed.is_ok(), "{arguments}: {}", parsed.err().unwrap());
        }
    }

    #[test]
    fn a_lake_is_that_of_a_cluster_which_one_option_names() {
        for command in ["health", "console"] {
            for place in [
                "",
                " --data d",
                " --profile p --lake l",
                " --cluster c:1 --lake l",
            ] {
                let arguments = format!("{command}{place}");
                let parsed = parsed(&arguments);
                assert!(parsed.is_ok(), "{arguments}: {}", parsed.err().unwrap());
            }
            let said = refused(&format!("{command} --lake l"));
            assert!(
                said.contains("--profile") && said.contains("--cluster"),
                "{said}"
            );
            for place in [
                "--data d --lake l",
                "--data d --profile p --lake l",
                "--profile p",
                "--cluster c:1",
                "--profile p --cluster c:1 --lake l",
            ] {
                refused(&format!("{command} {place}"));
            }
        }
    }

    #[test]
    fn a_training_at_no_interval_or_of_no_time_is_refused() {
        for option in ["--every", "--since"] {
            let said = refused(&format!("train run {option} 0s"));
            assert!(said.contains("longer than nothing"), "{said}");
            assert!(parsed(&format!("train run {option} 1ms")).is_ok());
        }
    }

    #[test]
    fn retention_is_what_stages_and_fluvio_can_live_with() {
        for (retention, remedy) in [("5h", "at least 6h"), ("137years", "at most 136years")] {
            let said = refused(&format!("deploy --retention {retention}"));
            assert!(said.contains(remedy), "{said}");
        }
        for retention in ["6h", "136years"] {
            assert!(parsed(&format!("deploy --retention {retention}")).is_ok());
        }
    }

    #[test]
    fn options_of_a_deployment_go_with_nothing_else() {
        assert!(parsed("deploy --diff --data d").is_ok());
        for instead in ["--rollback", "--delete", "--wait"] {
            assert!(parsed(&format!("deploy {instead}")).is_ok());
            for option in ["--data d", "--retention 7d", "--smartmodules s"] {
                refused(&format!("deploy {instead} {option}"));
            }
        }
    }
}
