//! `coinlake train promote`: points an alias at a version. The broker serves a version that is promoted to production.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use trainer::data::Label;
use trainer::production::model_of;
use trainer::tracking::{Alias, TrackingError};

use super::serve::{BrokerArgs, check_broker, serve};
use crate::models::open_tracking;
use crate::settings::default_data_dir;

#[derive(Args)]
pub(crate) struct PromoteArgs {
    /// Registered model
    #[arg(value_name = "NAME", value_parser = one_of::<Label>(Label::ALL.map(Label::as_str)))]
    name: Label,
    /// Version to promote, as listed by `coinlake train list`
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    version: u32,
    /// Alias to point at it
    #[arg(value_name = "staging|production", value_parser = one_of::<Alias>(Alias::ALL.map(Alias::as_str)))]
    to: Alias,
    /// Data directory of `coinlake up` or `demo`, whose broker serves the models; it also stores model versions unless
    /// MLFLOW_TRACKING_URI names a server
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    pub(super) data: PathBuf,
    #[command(flatten)]
    broker: BrokerArgs,
}

/// A parser of one of these names.
fn one_of<T>(names: [&'static str; 2]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse())
}

/// Checks the version's model, notes on it that it was promoted by hand, moves the alias, and serves what is in production.
pub(crate) async fn run(args: PromoteArgs) -> Result<()> {
    let tracking = open_tracking(&args.data)?;
    let (label, alias) = (args.name, args.to);
    let versions = tracking.versions(label.as_str()).await?;
    let version = versions
        .into_iter()
        .find(|version| version.version == args.version)
        .ok_or_else(|| TrackingError::UnknownVersion {
            model: label.to_string(),
            version: args.version,
            place: tracking.place(),
        })?;
    // Read first: a model that cannot be served must not get an alias.
    let found = model_of(tracking.as_ref(), label, version).await?;
    if alias == Alias::Production {
        check_broker(&args.data, &args.broker)?;
    }
    // What is there already keeps the note of why.
    if !found.version.aliases.iter().any(|at| at == alias.as_str()) {
        // The note comes first: once a version is in production, nothing may keep it from being served.
        tracking
            .note(&found.version, &format!("put into {alias} by hand"))
            .await?;
        tracking
            .set_alias(label.as_str(), alias, args.version)
            .await?;
    }
    outln!("{label}/{} is now in {alias}", args.version);
    if alias == Alias::Production {
        let serving = serve(&args.data, &args.broker, tracking.as_ref(), &[label]).await?;
        outln!("{serving}");
    }
    Ok(())
}
