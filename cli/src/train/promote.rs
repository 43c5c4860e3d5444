//! `coinlake train promote`: an alias pointed at a version, and what is in production put into the broker.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use connector_runtime::cluster::Cluster;
use trainer::data::Label;
use trainer::production::model_of;
use trainer::tracking::Alias;

use super::open_tracking;
use crate::data_dir::DataDir;
use crate::deploy::{Assets, deploy};
use crate::serving;

/// The models there are.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Name {
    AnomalyAhead,
    TrendUp,
}

impl From<Name> for Label {
    fn from(name: Name) -> Self {
        match name {
            Name::AnomalyAhead => Self::AnomalyAhead,
            Name::TrendUp => Self::TrendUp,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Where {
    Staging,
    Production,
}

#[derive(Args)]
pub struct Options {
    /// The registered model
    #[arg(value_name = "NAME")]
    name: Name,
    /// Its version, as `coinlake train list` shows it
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
    /// Where it is to be
    #[arg(value_name = "staging|production")]
    to: Where,
    /// Data directory of `coinlake up` or `demo`, which tells where the broker is; versions are kept in it where
    /// MLFLOW_TRACKING_URI names no server
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
    #[command(flatten)]
    broker: BrokerOptions,
}

/// Where models are put in production.
#[derive(Args)]
pub struct BrokerOptions {
    /// A fluvio profile, to serve on a cluster instead of the data directory's broker
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Folder of the SmartModules [default: ../smartmodules beside this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
}

pub async fn run(options: Options) -> Result<()> {
    let tracking = open_tracking(&options.data)?;
    let label = Label::from(options.name);
    let versions = tracking.versions(label.as_str()).await?;
    let Some(version) = versions.into_iter().find(|v| v.version == options.version) else {
        bail!(
            "there is no version {} of {label} in {}: `coinlake train list` shows those there are",
            options.version,
            tracking.place()
        );
    };
    // What cannot serve goes nowhere.
    model_of(tracking.as_ref(), label, version).await?;
    let alias = match options.to {
        Where::Staging => Alias::Staging,
        Where::Production => Alias::Production,
    };
    tracking
        .set_alias(label.as_str(), alias, options.version)
        .await?;
    println!("{alias} of {label} is version {} now", options.version);
    if alias == Alias::Production {
        println!("{}", serve(&options.data, &options.broker).await?);
    }
    Ok(())
}

/// Puts what is in production into the broker, if there is one to put it into; says what came of it.
pub async fn serve(data: &Path, options: &BrokerOptions) -> Result<String> {
    let later = "`coinlake deploy`, `up` and `demo` bring it into one";
    let Some(cluster) = cluster(data, options)? else {
        return Ok(format!(
            "no broker has run on {} yet: {later}",
            data.display()
        ));
    };
    let client = match cluster.connect().await {
        Ok(client) => client,
        // A cluster that was asked for must be there.
        Err(error) if options.profile.is_some() => return Err(error.into()),
        Err(_) => {
            return Ok(format!(
                "the broker of {} is not running: {later}",
                data.display()
            ));
        }
    };
    let production = serving::in_production(data).await;
    let named = production.labels().join(" and ");
    let assets = Assets::serving(options.smartmodules.as_deref(), production)?;
    deploy(&client, assets).await.with_context(|| {
        format!(
            "the registry has it in production, and the broker at {} goes on with the models it has",
            cluster.name()
        )
    })?;
    Ok(format!("the broker at {} has {named} now", cluster.name()))
}

fn cluster(data: &Path, options: &BrokerOptions) -> Result<Option<Cluster>> {
    if let Some(profile) = &options.profile {
        return Ok(Some(Cluster::from_profile(Some(profile))?));
    }
    // With a server for models and a lake elsewhere there may be no data directory at all.
    match DataDir::existing(data) {
        Ok(data) => Ok(data.broker_addr()?.map(Cluster::at)),
        Err(_) => Ok(None),
    }
}
