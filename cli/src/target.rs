//! Which platform to look at: that of a data directory on this machine, or a cluster and its lake.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::cluster::Cluster;
use lake::Lake;

use crate::data_dir::DataDir;

/// The options that name a platform.
#[derive(Args)]
pub struct Target {
    /// Data directory of `coinlake up` or `demo`, which tells where broker and lake are
    #[arg(
        long,
        value_name = "DIR",
        default_value = "coinlake-data",
        conflicts_with_all = ["profile", "cluster"]
    )]
    data: PathBuf,
    /// A fluvio profile, to look at a cluster instead
    #[arg(
        long,
        value_name = "NAME",
        requires = "lake",
        conflicts_with = "cluster"
    )]
    profile: Option<String>,
    /// The address of a cluster, to look at it without a profile
    #[arg(long, value_name = "HOST:PORT", requires = "lake")]
    cluster: Option<String>,
    /// The lake of that cluster: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
}

/// What a [`Target`] names; nothing of it is connected to yet.
pub struct Platform {
    pub cluster: Cluster,
    pub lake: Lake,
    /// The lake as a folder or URL.
    pub lake_url: String,
    /// The data directory, if it is one of this machine.
    pub data: Option<PathBuf>,
}

impl Target {
    /// Where models are kept when no server keeps them.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The broker and the lake.
    pub fn open(&self) -> Result<Platform> {
        let (cluster, lake_url, data) = match (&self.cluster, &self.profile, &self.lake) {
            (Some(addr), _, Some(lake)) => (Cluster::at(addr), lake.clone(), None),
            (None, Some(profile), Some(lake)) => {
                (Cluster::from_profile(Some(profile))?, lake.clone(), None)
            }
            _ => {
                let data = DataDir::existing(&self.data)?;
                let addr = data
                    .broker_addr()?
                    .context("no broker has run on this data directory yet")?;
                let lake = data.lake().display().to_string();
                (Cluster::at(addr), lake, Some(self.data.clone()))
            }
        };
        Ok(Platform {
            cluster,
            lake: Lake::open_str(&lake_url, [])?,
            lake_url,
            data,
        })
    }
}
