//! The objects of Coinlake that a cluster already has.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::cluster::smartmodule::matches_name;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;
use market::names::{smartmodule, topic};

use super::previous::{Previous, previous_name, previous_names};
use crate::assets;

/// Topics, SmartModules and table formats by name; only those with the names of ours.
#[derive(Debug, Default)]
pub(crate) struct ClusterState {
    /// How many SPUs are registered.
    pub(crate) spus: usize,
    pub(crate) topics: BTreeMap<String, TopicSpec>,
    /// The unpacked WASM; empty if it cannot be unpacked.
    pub(crate) smartmodules: BTreeMap<String, Vec<u8>>,
    /// What the last deployment replaced, by the name of its successor; `None` if its bytes are not what a deployment
    /// kept: another module has the name, or it is damaged.
    pub(super) previous: BTreeMap<&'static str, Option<Previous>>,
    /// Full names of packages (created by `smdk load`) that an SPU may take for one of our SmartModules.
    pub(crate) packages: Vec<String>,
    /// The names of our SmartModules under which an SPU would find a module or package.
    pub(crate) module_names: BTreeSet<&'static str>,
    pub(crate) table_formats: BTreeMap<String, TableFormatSpec>,
}

impl ClusterState {
    /// # Errors
    /// When the cluster does not answer, or a table format of this command is invalid.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let admin = client.admin().await;
        let spus = admin
            .all::<SpuSpec>()
            .await
            .context("SPUs cannot be listed")?;
        let topics = admin
            .all::<TopicSpec>()
            .await
            .context("topics cannot be listed")?;
        let topics = topics
            .into_iter()
            .filter(|listed| topic::ALL.contains(&&*listed.name))
            .map(|listed| (listed.name, listed.spec));
        let names = smartmodule::ALL.into_iter().map(str::to_owned);
        let names = names.chain(previous_names());
        // By name, because the reply holds the WASM of every listed module.
        let modules = admin
            .list::<SmartModuleSpec, String>(names.collect::<Vec<_>>())
            .await
            .context("SmartModules cannot be listed")?;
        let module_names = smartmodule::ALL
            .into_iter()
            .filter(|name| modules.iter().any(|module| matches_name(module, name)))
            .collect();
        let (packages, modules): (Vec<_>, Vec<_>) = modules
            .into_iter()
            .partition(|module| module.spec.meta.is_some());
        let packages = packages
            .into_iter()
            .map(|package| package.spec.fqdn(&package.name).into_owned());
        let modules = modules.into_iter().map(|module| {
            let wasm = module.spec.wasm.as_raw_wasm();
            (module.name, wasm.unwrap_or_default())
        });
        let mut modules: BTreeMap<_, _> = modules.collect();
        let previous = smartmodule::ALL.into_iter().filter_map(|name| {
            let wasm = modules.remove(&previous_name(name))?;
            Some((name, Previous::from_wasm(&wasm)))
        });
        let previous = previous.collect();
        let shipped: Vec<_> = assets::table_formats()?
            .into_iter()
            .map(|format| format.name)
            .collect();
        let table_formats = admin
            .all::<TableFormatSpec>()
            .await
            .context("table formats cannot be listed")?;
        let table_formats = table_formats
            .into_iter()
            .filter(|format| shipped.contains(&format.name))
            .map(|format| (format.name, format.spec));
        Ok(Self {
            spus: spus.len(),
            topics: topics.collect(),
            smartmodules: modules,
            previous,
            packages: packages.collect(),
            module_names,
            table_formats: table_formats.collect(),
        })
    }
}
