//! `coinlake train promote`: an alias pointed at a version.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use trainer::data::Label;
use trainer::production::model_of;
use trainer::tracking::Alias;

use super::open_tracking;

/// What brings a version in production into a broker.
pub const BROUGHT_BY: &str = "`coinlake deploy`, `up` and `demo` bring it into the broker";

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
    /// Data directory of `coinlake up` or `demo`; versions are kept in it where MLFLOW_TRACKING_URI names no server
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
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
        println!("{BROUGHT_BY}");
    }
    Ok(())
}
