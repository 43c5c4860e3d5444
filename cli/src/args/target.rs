//! Which running platform a command looks at: the one of a data directory on this machine, or a cluster and its lake.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use connector_runtime::clock::Clock;
use connector_runtime::cluster::Cluster;
use lake::{Lake, LakeUrl};

use crate::platform::{DataDir, LIVE_MARKET, LastStart, Market};
use crate::settings::default_data_dir;

/// What names a cluster, by one way only.
const ELSEWHERE: &str = "elsewhere";

#[derive(Args)]
pub(crate) struct TargetArgs {
    /// Data directory of `coinlake up` or `demo`; it says where the broker and the lake are
    #[arg(
        long,
        value_name = "DIR",
        default_value_os_t = default_data_dir(),
        conflicts_with_all = ["profile", "cluster", "lake"]
    )]
    data: PathBuf,
    /// Look at the cluster of this fluvio profile instead
    #[arg(long, value_name = "NAME", requires = "lake", group = ELSEWHERE)]
    profile: Option<String>,
    /// Look at the cluster at this address instead, without a profile
    #[arg(long, value_name = "HOST:PORT", requires = "lake", group = ELSEWHERE)]
    cluster: Option<String>,
    /// Lake of that cluster: a folder or an object store URL
    #[arg(long, value_name = "URL", requires = ELSEWHERE)]
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
    /// Where its data comes from.
    pub(crate) market: Market,
    /// What the platform was started with; nothing is known of a cluster's.
    pub(crate) last_start: LastStart,
}

impl TargetArgs {
    /// Where models are stored unless there is an MLflow server.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The file of secrets that the platform's last start used.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        match self.lake {
            Some(_) => None,
            None => DataDir::at(&self.data).secrets_file(),
        }
    }

    /// # Errors
    /// When the data directory is none of ours or has not seen a broker yet, or when profile or lake URL are unusable.
    pub(crate) fn resolve(&self) -> Result<Target> {
        let mut last_start = LastStart::default();
        let mut market = Market::in_usd(LIVE_MARKET);
        let (cluster, lake_url, data) = match (&self.cluster, &self.profile, &self.lake) {
            (Some(addr), _, Some(lake)) => (Cluster::at(addr), lake.clone(), None),
            (None, Some(profile), Some(lake)) => {
                (Cluster::from_profile(Some(profile))?, lake.clone(), None)
            }
            _ => {
                let data = DataDir::existing(&self.data)?;
                last_start = data.last_start()?;
                let addr = last_start.broker.as_ref().with_context(|| {
                    format!(
                        "no broker has run on data directory {} yet: start `coinlake up` or `demo` on it",
                        self.data.display()
                    )
                })?;
                let lake = data.lake(last_start.lake.as_deref());
                market = data.market()?;
                (Cluster::at(addr), lake, Some(self.data.clone()))
            }
        };
        Ok(Target {
            cluster: cluster.with_clock(Clock::of_process()?),
            lake: open_existing(&lake_url)?,
            lake_url,
            data,
            market,
            last_start,
        })
    }
}

/// A lake to look at; nothing is created.
///
/// # Errors
/// When the address is unusable, or there is no such folder.
pub(crate) fn open_existing(lake: &str) -> Result<Lake> {
    let url = LakeUrl::parse(lake).map_err(|problem| anyhow!("lake: {problem}"))?;
    Ok(Lake::open_existing(&url)?)
}
