//! `coinlake train`: training on the lake, runs, model versions and their promotion.
//!
//! - [`run`] trains
//! - [`list`] and [`compare`] show runs and versions
//! - [`promote`] points an alias at a version
//! - [`publish`] uploads a run to an MLflow server
//! - [`serve`] deploys the models in production to a running broker
//! - [`runs`] holds arguments that these share

mod compare;
mod list;
mod promote;
mod publish;
mod run;
mod runs;
mod serve;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use self::compare::CompareArgs;
use self::list::ListArgs;
use self::promote::PromoteArgs;
use self::publish::PublishArgs;
use self::run::RunArgs;
use crate::platform::DataDir;

#[derive(Subcommand)]
pub(crate) enum TrainCommand {
    /// Train both models on the lake, evaluate and register them, and promote those that are better
    Run(RunArgs),
    /// List runs, model versions and what is in production
    List(ListArgs),
    /// Compare two runs
    Compare(CompareArgs),
    /// Point `staging` or `production` at a version; the running broker then serves what is in production
    Promote(PromoteArgs),
    /// Upload a run from the data directory to the MLflow server
    Publish(PublishArgs),
}

impl TrainCommand {
    /// The file of secrets that the platform's last start used.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        let data = match self {
            Self::Run(args) => &args.runs.data,
            Self::List(args) => &args.runs.data,
            Self::Compare(args) => &args.runs.data,
            Self::Promote(args) => &args.data,
            Self::Publish(args) => &args.data,
        };
        DataDir::at(data).secrets_file()
    }
}

pub(crate) async fn run(command: TrainCommand) -> Result<()> {
    match command {
        TrainCommand::Run(args) => run::run(args).await,
        TrainCommand::List(args) => list::run(args).await,
        TrainCommand::Compare(args) => compare::run(args).await,
        TrainCommand::Promote(args) => promote::run(args).await,
        TrainCommand::Publish(args) => publish::run(args).await,
    }
}
