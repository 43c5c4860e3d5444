//! The options of `up`, `check` and `backfill`. What is set here wins over the file.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use coingecko_source::KeyPlan;
use connector_runtime::config::ConfigError;
use connector_runtime::process::monitor::{MonitorArgs, listen_addr};
use webhook_notifier::WebhookArgs;

use super::address::HostPort;
use super::find::Found;

/// Kinds of CoinGecko keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Plan {
    Demo,
    Pro,
}

impl From<Plan> for KeyPlan {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Demo => Self::Demo,
            Plan::Pro => Self::Pro,
        }
    }
}

/// Options that say what to run. Each wins over the file's key.
#[derive(Args, Default)]
pub(crate) struct SettingsArgs {
    /// Settings file, as `coinlake init` writes it [default: coinlake.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory for topics, lake and models [default: coinlake-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Coins by CoinGecko id, such as bitcoin,ethereum
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) ids: Vec<String>,
    /// The N largest coins by market cap; each 250 take a call [default: 250]
    #[arg(long, value_name = "N", conflicts_with = "ids", value_parser = at_least_one)]
    pub(crate) top: Option<NonZero<usize>>,
    /// Poll at this interval, such as 60s [default: 60s, or longer where the plan's calls would not last the month]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) every: Option<Duration>,
    /// Lake: a folder, s3://bucket/prefix, gs://... or az://... [default: lake in the data directory]
    #[arg(long, value_name = "URL")]
    pub(crate) lake: Option<String>,
    /// Address of the broker, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9003]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    pub(crate) listen: Option<SocketAddr>,
    /// Address at which clients on other machines reach the broker, if it runs in a container or behind a tunnel
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise: Option<HostPort>,
    /// Address of the web console, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9080]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    pub(crate) console: Option<SocketAddr>,
    /// CoinGecko API key [env: COINGECKO_API_KEY]; without one the public API allows a few calls a minute. Prefer the
    /// environment variable: other users of this machine can see command lines
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Plan of the API key: demo is free, pro any that is paid [env: COINGECKO_PLAN] [default: demo]
    #[arg(long)]
    pub(crate) plan: Option<Plan>,
    #[command(flatten)]
    pub(crate) webhook: WebhookArgs,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

impl SettingsArgs {
    /// The file of `NAME=value` lines that become environment variables.
    ///
    /// # Errors
    /// When the settings file cannot be read or is invalid.
    pub(crate) fn secrets_file(&self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(path) = &self.webhook.secrets {
            return Ok(Some(path.clone()));
        }
        let found = Found::read(self.config.as_deref())?;
        Ok(found.settings.secrets.as_ref().map(|path| found.path(path)))
    }
}

fn at_least_one(text: &str) -> Result<NonZero<usize>, String> {
    let number: usize = text.parse().map_err(|_| "not a whole number".to_owned())?;
    NonZero::new(number).ok_or_else(|| "set at least 1".to_owned())
}
