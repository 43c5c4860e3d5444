//! Deploys the models in production to a running broker.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::cluster::{Client, Cluster};
use trainer::data::Label;
use trainer::tracking::Tracking;

use crate::args::SmartModulesArgs;
use crate::deployment::{Bundle, deploy, served_models};
use crate::models::promoted_models;
use crate::platform::DataDir;

/// Which broker gets the models in production.
#[derive(Args)]
pub(crate) struct BrokerArgs {
    /// Serve on the cluster of this fluvio profile instead of the data directory's broker
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
}

/// Checks what [`serve`] will need, before an alias moves.
///
/// # Errors
/// When the profile is unknown, or there is a broker to serve on and a SmartModule is missing or damaged.
pub(crate) fn check_broker(data: &Path, args: &BrokerArgs) -> Result<()> {
    if cluster(data, args)?.is_some() {
        args.smartmodules.read()?;
    }
    Ok(())
}

/// Deploys the models in production after a promotion of the labels `promoted`, and says in a sentence what the broker serves now. A data
/// directory whose broker does not run is no error: its next start deploys them.
///
/// # Errors
/// When a promoted model cannot be read, when the broker does not serve it, or when a cluster that was asked for is not there.
pub(crate) async fn serve(
    data: &Path,
    args: &BrokerArgs,
    tracking: &dyn Tracking,
    promoted: &[Label],
) -> Result<String> {
    let remedy = "`coinlake deploy`, `up` and `demo` deploy the models";
    let Some(cluster) = cluster(data, args)? else {
        return Ok(format!("no broker runs on {}: {remedy}", data.display()));
    };
    let client = match cluster.connect().await {
        Ok(client) => client,
        Err(error) if args.profile.is_some() => return Err(error.into()),
        Err(error) => {
            return Ok(format!(
                "the broker of {} cannot be reached ({error}): {remedy}",
                data.display()
            ));
        }
    };
    let deployed = deploy_promoted(&client, args, tracking, promoted);
    let served = deployed.await.with_context(|| {
        format!(
            "the models are registered as production, but the broker at {} may still serve the previous ones: run `coinlake \
             train promote` again",
            cluster.name()
        )
    })?;
    Ok(format!(
        "the broker at {} serves {} now",
        cluster.name(),
        served.join(" and ")
    ))
}

/// Deploys the models in production after a training that promoted none, if the broker serves others: an earlier promotion may have ended
/// before its deployment. Says in a sentence what the broker serves then.
///
/// # Errors
/// When the models in production cannot be deployed.
pub(crate) async fn catch_up(
    data: &Path,
    args: &BrokerArgs,
    tracking: &dyn Tracking,
) -> Result<Option<String>> {
    let Some(cluster) = cluster(data, args)? else {
        return Ok(None);
    };
    let served = async { served_models(&cluster.connect().await?).await };
    let served = match served.await {
        Ok(served) => served,
        Err(error) => {
            tracing::warn!("whether the models in production serve is unknown: {error:#}");
            return Ok(None);
        }
    };
    let production = promoted_models(tracking, &[]).await?;
    if production
        .labels()
        .iter()
        .all(|model| served.contains(model))
    {
        return Ok(None);
    }
    serve(data, args, tracking, &[]).await.map(Some)
}

/// The models that the broker serves then.
async fn deploy_promoted(
    client: &Client,
    args: &BrokerArgs,
    tracking: &dyn Tracking,
    promoted: &[Label],
) -> Result<Vec<String>> {
    let production = promoted_models(tracking, promoted).await?;
    let bundle = Bundle::models_only(args.smartmodules.read()?, production);
    deploy(client, bundle).await?;
    served_models(client).await
}

/// The broker to serve on; `None` if none runs on the data directory, or there is no directory because models and lake are
/// elsewhere.
fn cluster(data: &Path, args: &BrokerArgs) -> Result<Option<Cluster>> {
    if let Some(profile) = &args.profile {
        return Ok(Some(Cluster::from_profile(Some(profile))?));
    }
    // The address alone may belong to another directory's broker by now.
    match DataDir::find(data)? {
        Some(dir) if dir.is_running()? => Ok(dir.last_start()?.broker.map(Cluster::at)),
        _ => Ok(None),
    }
}
