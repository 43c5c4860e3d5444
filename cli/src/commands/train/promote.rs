//! `coinlake train promote`: points an alias at a version, and has the broker serve what is in production.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use trainer::data::Label;
use trainer::production::model_of;
use trainer::tracking::Alias;

use super::serve::{BrokerArgs, serve};
use crate::models::open_tracking;
use crate::settings::default_data_dir;

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ModelName {
    AnomalyAhead,
    TrendUp,
}

impl From<ModelName> for Label {
    fn from(name: ModelName) -> Self {
        match name {
            ModelName::AnomalyAhead => Self::AnomalyAhead,
            ModelName::TrendUp => Self::TrendUp,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AliasName {
    Staging,
    Production,
}

impl From<AliasName> for Alias {
    fn from(name: AliasName) -> Self {
        match name {
            AliasName::Staging => Self::Staging,
            AliasName::Production => Self::Production,
        }
    }
}

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// Registered model
    #[arg(value_name = "NAME")]
    name: ModelName,
    /// Version to promote, as listed by `coinlake train list`
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
    /// Alias to point at it
    #[arg(value_name = "staging|production")]
    to: AliasName,
    /// Data directory of `coinlake up` or `demo`, whose broker serves the models; it also stores model versions unless
    /// MLFLOW_TRACKING_URI names a server
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    pub(super) data: PathBuf,
    #[command(flatten)]
    broker: BrokerArgs,
}

pub(crate) async fn run(args: PromoteArgs) -> Result<()> {
    let tracking = open_tracking(&args.data)?;
    let label = Label::from(args.name);
    let versions = tracking.versions(label.as_str()).await?;
    let Some(version) = versions
        .into_iter()
        .find(|version| version.version == args.version)
    else {
        bail!(
            "there is no version {} of {label} in {}: `coinlake train list` shows the versions",
            args.version,
            tracking.place()
        );
    };
    // Read first: a model that cannot be served must not get an alias.
    model_of(tracking.as_ref(), label, version).await?;
    let alias = Alias::from(args.to);
    tracking
        .set_alias(label.as_str(), alias, args.version)
        .await?;
    println!("{alias} of {label} is now version {}", args.version);
    if alias == Alias::Production {
        println!("{}", serve(&args.data, &args.broker).await?);
    }
    Ok(())
}
