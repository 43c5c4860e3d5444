//! A connector's command line.

use std::path::PathBuf;

use crate::cluster::{Cluster, ClusterError};
use crate::process::log::LogFormat;
use crate::process::monitor::MonitorArgs;

/// The arguments every connector takes.
#[derive(Debug, Clone, clap::Parser)]
pub struct ConnectorArgs {
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
    /// Metrics and probes.
    #[command(flatten)]
    pub monitor: MonitorArgs,
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

impl ConnectorArgs {
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
