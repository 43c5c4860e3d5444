//! Which SmartModules the cluster has, and which models the one that predicts serves.

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::cluster::smartmodule::matches_name;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use market::model::{ModelError, ModelPair, slot};
use market::names::smartmodule;

use crate::report::{SmartModule, Survey};

pub(crate) async fn survey(client: &Client, names: &[String], survey: &mut Survey) -> Result<()> {
    let present = client
        .admin()
        .await
        .all::<SmartModuleSpec>()
        .await
        .context("SmartModules cannot be listed")?;
    for name in names {
        let mut matching = present.iter().filter(|module| matches_name(module, name));
        let found = matching.next();
        if let (Some(one), Some(other)) = (found, matching.next()) {
            let [one, other] = [one, other].map(|module| module.spec.fqdn(&module.name));
            let message = format!(
                "SmartModule {name} may be {one} or {other}, so stages that use it stop: `coinlake deploy` deletes the \
                 package"
            );
            survey.report(name, message);
        }
        survey.smartmodules.push(SmartModule {
            name: name.clone(),
            present: found.is_some(),
        });
        let Some(module) = found else {
            let message = format!("SmartModule {name} is missing: `coinlake deploy` creates it");
            survey.report(name, message);
            continue;
        };
        if name == smartmodule::PREDICT {
            match models_in(&module.spec) {
                Ok(models) => survey.models = models.labels(),
                Err(error) => survey.report(name, format!("SmartModule {name}: {error}")),
            }
        }
    }
    Ok(())
}

fn models_in(module: &SmartModuleSpec) -> Result<ModelPair, ModelError> {
    let wasm = module.wasm.as_raw_wasm();
    // A module that cannot be unpacked is not one of ours.
    slot::read(&wasm.map_err(|_| ModelError::NoSlot)?)
}
