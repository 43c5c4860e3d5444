//! The arguments.

use std::num::NonZero;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::monitor::MonitorArgs;
use trainer::data::TimeRange;
use trainer::{TrainSettings, promotion};

use crate::args::some_time;
use crate::commands::train::runs::RunsArgs;
use crate::commands::train::serve::BrokerArgs;

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) runs: RunsArgs,
    /// Train on this lake instead of the data directory's: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Use only rows from this date or time (UTC) on, such as 2025-06-01
    #[arg(long, value_name = "DATE|TIME")]
    from: Option<String>,
    /// Use only rows before this date or time (UTC)
    #[arg(long, value_name = "DATE|TIME")]
    to: Option<String>,
    /// Use only rows of the last days or hours before the lake's newest row, such as 14d
    #[arg(long, value_name = "DURATION", value_parser = some_time, conflicts_with_all = ["from", "to"])]
    pub(crate) since: Option<Duration>,
    /// Seed of the random numbers: the same rows and seed give the same models
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Promote a version if its AUC-ROC on the newest day exceeds that of the version in production by at least this; if nothing is
    /// in production, if it exceeds 0.5 by as much
    #[arg(long, value_name = "DIFFERENCE", env = "COINLAKE_PROMOTION_MARGIN", default_value_t = promotion::MARGIN)]
    pub(crate) margin: f64,
    /// Train again at this interval, such as 1h, until interrupted; after a failure in ten minutes at the latest
    #[arg(long, value_name = "DURATION", value_parser = some_time)]
    pub(crate) every: Option<Duration>,
    /// Print the result of each run as a JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
}

impl RunArgs {
    pub(crate) fn settings(&self) -> Result<TrainSettings> {
        let lake = match &self.lake {
            Some(lake) => lake.clone(),
            None => self.runs.lake()?,
        };
        let mut settings = TrainSettings::of_lake(lake);
        settings.range = TimeRange::parse(self.from.as_deref(), self.to.as_deref())?;
        settings.forest.seed = self.seed;
        settings.threads = self.threads;
        Ok(settings)
    }
}
