//! `coinlake deploy`: topics, SmartModules and table formats for a cluster.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::process::ClusterArgs;

use crate::args::SmartModulesArgs;
use crate::counted::counted;
use crate::deployment::{self, Bundle, Goal, TopicOptions};
use crate::models;
use crate::platform::DataDir;
use crate::settings::{default_data_dir, usable_retention};

#[derive(Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Partitions of each topic [default: as in fluvio-config/topics]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// Copies of each partition of new topics; auto: as many as there are SPUs, at most 3
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    replication: Replication,
    /// How long new topics keep records, such as 30d [default: as in fluvio-config/topics]
    #[arg(long, value_name = "DURATION", value_parser = retention)]
    retention: Option<Duration>,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
    /// Data directory whose models in production are deployed, unless MLFLOW_TRACKING_URI names a server
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    data: PathBuf,
    /// Apply the plan without asking
    #[arg(long)]
    yes: bool,
    /// Change nothing: print the plan, and fail if there is something to change
    #[arg(long, conflicts_with = "yes")]
    diff: bool,
    /// Bring back the SmartModules that the last deployment replaced
    #[arg(long, conflicts_with_all = DEPLOYING_ONLY)]
    rollback: bool,
    /// Delete SmartModules and table formats
    #[arg(long, conflicts_with = "rollback", conflicts_with_all = DEPLOYING_ONLY)]
    delete: bool,
    /// With --delete: also delete the topics, with every record in them
    #[arg(long, requires = "delete")]
    with_data: bool,
    /// Change nothing: wait until another process has deployed everything
    #[arg(long, conflicts_with_all = ["yes", "diff", "rollback", "delete"], conflicts_with_all = DEPLOYING_ONLY)]
    wait: bool,
}

/// Copies of each partition; `None`: as the cluster allows.
#[derive(Clone, Copy)]
struct Replication(Option<u32>);

impl FromStr for Replication {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self(None)),
            _ => match text.parse() {
                Ok(0) | Err(_) => Err("a number from 1 on, or auto"),
                Ok(copies) => Ok(Self(Some(copies))),
            },
        }
    }
}

/// Options of a deployment alone.
const DEPLOYING_ONLY: [&str; 5] = [
    "partitions",
    "replication",
    "retention",
    "smartmodules",
    "data",
];

impl DeployArgs {
    /// The file of secrets that the platform's last start used, for a deployment of its models.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        match self.wait || self.delete || self.rollback {
            true => None,
            false => DataDir::at(&self.data).secrets_file(),
        }
    }
}

/// Prints the plan, asks, and applies it.
pub(crate) async fn run(args: DeployArgs) -> Result<()> {
    if args.wait {
        return deployment::wait_until_deployed(&args.cluster.named()?).await;
    }
    // A missing file is reported before a missing cluster.
    let goal = if args.delete {
        Goal::Deleted {
            with_data: args.with_data,
        }
    } else if args.rollback {
        Goal::RolledBack
    } else {
        let smartmodules = args.smartmodules.read()?;
        let production = models::models_in_production(&args.data).await;
        let options = TopicOptions {
            partitions: args.partitions,
            replication: args.replication.0,
            retention: args.retention,
        };
        let bundle = Bundle::complete(smartmodules, options, production)?;
        Goal::Deployed(Box::new(bundle))
    };
    let cluster = args.cluster.named()?;
    let client = cluster.connect().await?;
    let plan = goal.plan(&client).await?;
    outln!("{}:\n{plan}", cluster.name());
    if plan.changes() == 0 {
        return Ok(());
    }
    if args.diff {
        let steps = counted(plan.changes() as u64, "step");
        bail!("the cluster would be changed: {steps} (see above)");
    }
    if !args.yes && !confirmed()? {
        bail!("nothing was changed");
    }
    goal.reach(&client, plan).await?;
    outln!("done");
    Ok(())
}

fn retention(text: &str) -> Result<Duration, String> {
    let retention = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    usable_retention(retention)?;
    Ok(retention)
}

fn confirmed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!(
            "nothing was changed: there is no terminal to ask for confirmation; check the plan above and add --yes"
        );
    }
    eprint!("apply this plan? [y/N] ");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("stdin cannot be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
