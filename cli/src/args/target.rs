//! Which running platform a command looks at: the one of a data directory on this machine, or a cluster and its lake.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::cluster::Cluster;
use lake::Lake;

use crate::platform::{DEFAULT_DATA_DIR, DataDir};

#[derive(Args)]
pub(crate) struct TargetArgs {
    /// Data directory of `coinlake up` or `demo`; it says where the broker and the lake are
    #[arg(
        long,
        value_name = "DIR",
        default_value = DEFAULT_DATA_DIR,
        conflicts_with_all = ["profile", "cluster"]
    )]
    data: PathBuf,
    /// Look at the cluster of this fluvio profile instead
    #[arg(
        long,
        value_name = "NAME",
        requires = "lake",
        conflicts_with = "cluster"
    )]
    profile: Option<String>,
    /// Look at the cluster at this address instead, without a profile
    #[arg(long, value_name = "HOST:PORT", requires = "lake")]
    cluster: Option<String>,
    /// Lake of that cluster: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
}

/// The platform that [`TargetArgs`] name; not connected yet.
pub(crate) struct Target {
    pub(crate) cluster: Cluster,
    pub(crate) lake: Lake,
    /// The lake as a folder or URL.
    pub(crate) lake_url: String,
    /// The data directory; `None` for a cluster.
    pub(crate) data: Option<PathBuf>,
    /// Whether CoinGecko feeds it, and no replay, which ends.
    pub(crate) live: bool,
}

impl TargetArgs {
    /// Where models are stored unless there is an MLflow server.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// # Errors
    /// When the data directory is none of ours or has not seen a broker yet, or when profile or lake URL are unusable.
    pub(crate) fn resolve(&self) -> Result<Target> {
        let (cluster, lake_url, data, live) = match (&self.cluster, &self.profile, &self.lake) {
            (Some(addr), _, Some(lake)) => (Cluster::at(addr), lake.clone(), None, true),
            (None, Some(profile), Some(lake)) => (
                Cluster::from_profile(Some(profile))?,
                lake.clone(),
                None,
                true,
            ),
            _ => {
                let data = DataDir::existing(&self.data)?;
                let addr = data.broker_addr()?.with_context(|| {
                    format!(
                        "no broker has run on data directory {} yet: start `coinlake up` or `demo` on it",
                        self.data.display()
                    )
                })?;
                let lake = data.lake().display().to_string();
                let live = data.is_live()?;
                (Cluster::at(addr), lake, Some(self.data.clone()), live)
            }
        };
        Ok(Target {
            cluster,
            lake: Lake::open_str(&lake_url, [])?,
            lake_url,
            data,
            live,
        })
    }
}
