//! A connector's command line and its log.

use std::path::PathBuf;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cluster::{Cluster, ClusterError};

/// The arguments every connector takes.
#[derive(Debug, Clone, clap::Parser)]
pub struct Args {
    /// The connector's configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// A file of NAME=value lines; without it secrets are environment variables.
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
    /// Where to connect.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// The arguments that say where a cluster is.
#[derive(Debug, Clone, clap::Args)]
pub struct ClusterArgs {
    /// Connect to this address instead of the current fluvio profile.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "profile")]
    cluster: Option<String>,
    /// Connect with this fluvio profile instead of the current one.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl Args {
    /// The cluster these arguments name.
    pub fn cluster(&self) -> Result<Cluster, ClusterError> {
        self.cluster.named()
    }
}

impl ClusterArgs {
    /// The cluster these arguments name.
    pub fn named(&self) -> Result<Cluster, ClusterError> {
        match &self.cluster {
            Some(addr) => Ok(Cluster::at(addr)),
            None => Cluster::from_profile(self.profile.as_deref()),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged when `RUST_LOG` does not say: the fluvio crates only when something is wrong.
const DEFAULT_FILTER: &str = "info,fluvio=warn";

/// Starts logging to stderr. `RUST_LOG` chooses what; by default `info`, and of the fluvio crates `warn`. At level `trace`
/// those crates print whole requests, SmartModule parameters included, so that level of theirs is never shown. A second
/// call changes nothing.
pub fn init_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_FILTER.into());
    let no_requests = filter_fn(|metadata| {
        *metadata.level() != Level::TRACE || !metadata.target().starts_with("fluvio")
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(no_requests);
    let started = match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    if let Err(err) = started {
        tracing::debug!(%err, "logging was already started");
    }
}
