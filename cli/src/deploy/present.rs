//! What a cluster has of what Coinlake brings.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::cluster::smartmodule::matches_name;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;

use crate::assets;

/// By name, only those that Coinlake would deploy.
#[derive(Debug, Default)]
pub struct Present {
    /// Partition counts.
    pub topics: BTreeMap<String, u32>,
    /// The wasm, unpacked; empty where what the cluster has cannot be unpacked.
    pub smartmodules: BTreeMap<String, Vec<u8>>,
    /// Whole names of packages (`smdk load` makes them) that an SPU may take for one of ours.
    pub packages: Vec<String>,
    /// The names of ours that a SmartModule or package goes by.
    pub module_names: BTreeSet<&'static str>,
    pub table_formats: BTreeMap<String, TableFormatSpec>,
}

impl Present {
    /// Asks the cluster.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn look(client: &Client) -> Result<Self> {
        let admin = client.admin().await;
        let ours = assets::topic_names()?;
        let topics = admin
            .all::<TopicSpec>()
            .await
            .context("topics cannot be listed")?;
        let topics = topics
            .into_iter()
            .filter(|topic| ours.contains(&topic.name))
            .map(|topic| (topic.name, topic.spec.partitions()));
        // By name: a list holds the wasm of every module it names.
        let smartmodules = admin
            .list::<SmartModuleSpec, String>(assets::SMARTMODULES.map(str::to_owned).to_vec())
            .await
            .context("SmartModules cannot be listed")?;
        let module_names = assets::SMARTMODULES
            .into_iter()
            .filter(|name| smartmodules.iter().any(|module| matches_name(module, name)))
            .collect();
        let (packages, smartmodules): (Vec<_>, Vec<_>) = smartmodules
            .into_iter()
            .partition(|module| module.spec.meta.is_some());
        let packages = packages
            .into_iter()
            .map(|module| module.spec.fqdn(&module.name).into_owned());
        let smartmodules = smartmodules.into_iter().map(|module| {
            let wasm = module.spec.wasm.as_raw_wasm();
            (module.name, wasm.unwrap_or_default())
        });
        let ours: Vec<_> = assets::table_formats()?
            .into_iter()
            .map(|f| f.name)
            .collect();
        let table_formats = admin
            .all::<TableFormatSpec>()
            .await
            .context("table formats cannot be listed")?;
        let table_formats = table_formats
            .into_iter()
            .filter(|format| ours.contains(&format.name))
            .map(|format| (format.name, format.spec));
        Ok(Self {
            topics: topics.collect(),
            smartmodules: smartmodules.collect(),
            packages: packages.collect(),
            module_names,
            table_formats: table_formats.collect(),
        })
    }
}
