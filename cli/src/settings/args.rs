//! The options of `up` and `check`. What is set here wins over the file.

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
#[derive(Args)]
pub(crate) struct SettingsArgs {
    /// Settings file, as `coinlake init` writes it [default: coinlake.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Directory for topics, lake and models [default: coinlake-data]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// Coins by CoinGecko id, such as bitcoin,ethereum
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(super) ids: Vec<String>,
    /// The largest coins by market value, 250 a call [default: 250]
    #[arg(long, value_name = "N", conflicts_with = "ids")]
    pub(super) top: Option<NonZero<usize>>,
    /// Poll at this interval, such as 60s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(super) every: Option<Duration>,
    /// Lake: a folder, s3://bucket/prefix, gs://... or az://... [default: lake in the data directory]
    #[arg(long, value_name = "URL")]
    pub(super) lake: Option<String>,
    /// Address of the broker, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9003]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    pub(super) listen: Option<SocketAddr>,
    /// Where clients elsewhere reach the broker, for one behind a container or a tunnel
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) advertise: Option<HostPort>,
    /// Address of the web console, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9080]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    pub(super) console: Option<SocketAddr>,
    /// CoinGecko API key [env: COINGECKO_API_KEY]; without one the public API allows a few calls a minute. Prefer the
    /// environment variable: other users of this machine can see command lines
    #[arg(long, value_name = "KEY")]
    pub(super) api_key: Option<String>,
    /// Kind of API key [env: COINGECKO_PLAN] [default: demo]
    #[arg(long)]
    pub(super) plan: Option<Plan>,
    #[command(flatten)]
    pub(super) webhook: WebhookArgs,
    #[command(flatten)]
    pub(super) monitor: MonitorArgs,
}

impl SettingsArgs {
    /// The file of `NAME=value` lines that become environment variables.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub(crate) fn secrets_file(&self) -> Result<Option<PathBuf>, ConfigError> {
        if let Some(path) = &self.webhook.secrets {
            return Ok(Some(path.clone()));
        }
        let found = Found::read(self.config.as_deref())?;
        Ok(found.settings.secrets.as_ref().map(|path| found.path(path)))
    }
}
