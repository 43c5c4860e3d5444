//! `coinlake lake`: the lake's tables, and their upkeep.
//!
//! - [`target`]: which lake, and which of its tables
//! - [`upkeep`]: optimize, vacuum, expire, and all of them, with [`progress`] bars
//! - [`import`]: makes tables of a lake of the releases before tables
//! - [`describe`] and [`history`]: what a table is, and what became of it

mod describe;
mod history;
mod import;
mod progress;
mod target;
mod upkeep;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use self::describe::DescribeArgs;
use self::history::HistoryArgs;
use self::import::ImportArgs;
use self::upkeep::{ExpireArgs, OptimizeArgs, UpkeepArgs};

#[derive(Subcommand)]
pub(crate) enum LakeCommand {
    /// Merge small files: those of a quarter of a day into one, those of a closed day into sorted ones
    Optimize(OptimizeArgs),
    /// Delete files that no table has referenced for a day
    Vacuum(UpkeepArgs),
    /// Remove days that are older than their table keeps
    Expire(ExpireArgs),
    /// All upkeep of every table, as `up` does it: expire, optimize, vacuum
    Upkeep(UpkeepArgs),
    /// Show columns, properties, size and positions of tables
    Describe(DescribeArgs),
    /// Show the newest commits of a table; upkeep removes entries that are older than a day
    History(HistoryArgs),
    /// Convert a lake of plain Parquet files, of an older release, to Delta tables; stop its stages first
    Import(ImportArgs),
}

impl LakeCommand {
    /// The file of secrets that the platform's last start used.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        let target = match self {
            Self::Optimize(args) => &args.common.target,
            Self::Vacuum(args) | Self::Upkeep(args) => &args.target,
            Self::Expire(args) => &args.common.target,
            Self::Describe(args) => &args.target,
            Self::History(args) => &args.target,
            Self::Import(args) => &args.common.target,
        };
        target.secrets_file()
    }
}

pub(crate) async fn run(command: LakeCommand) -> Result<()> {
    match command {
        LakeCommand::Optimize(args) => upkeep::optimize(args).await,
        LakeCommand::Vacuum(args) => upkeep::vacuum(args).await,
        LakeCommand::Expire(args) => upkeep::expire(args).await,
        LakeCommand::Upkeep(args) => upkeep::all(args).await,
        LakeCommand::Describe(args) => describe::run(args).await,
        LakeCommand::History(args) => history::run(args).await,
        LakeCommand::Import(args) => import::run(args).await,
    }
}
