//! `coinlake deploy`: topics, SmartModules and table formats for a cluster.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::process::ClusterArgs;

use crate::args::SmartModulesArgs;
use crate::deployment::{self, Bundle, Goal};
use crate::models;
use crate::settings::default_data_dir;

#[derive(Args)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Partitions of each topic [default: as in fluvio-config/topics]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
    /// Data directory whose models in production are deployed, unless MLFLOW_TRACKING_URI names a server
    #[arg(long, value_name = "DIR", default_value_os_t = default_data_dir())]
    data: PathBuf,
    /// Apply the plan without asking
    #[arg(long)]
    yes: bool,
    /// Delete SmartModules and table formats
    #[arg(long, conflicts_with_all = ["partitions", "smartmodules"])]
    delete: bool,
    /// With --delete: also delete the topics, with every record in them
    #[arg(long, requires = "delete")]
    with_data: bool,
    /// Change nothing: wait until another process has deployed everything
    #[arg(long, conflicts_with_all = ["yes", "delete", "partitions"])]
    wait: bool,
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
    } else {
        let smartmodules = args.smartmodules.read()?;
        let production = models::models_in_production(&args.data).await;
        let bundle = Bundle::complete(smartmodules, args.partitions, production)?;
        Goal::Deployed(Box::new(bundle))
    };
    let cluster = args.cluster.named()?;
    let client = cluster.connect().await?;
    let plan = goal.plan(&client).await?;
    println!("{}:\n{plan}", cluster.name());
    if plan.changes() == 0 {
        return Ok(());
    }
    if !args.yes && !confirmed()? {
        bail!("nothing was changed");
    }
    goal.reach(&client, plan).await?;
    println!("done");
    Ok(())
}

fn confirmed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!(
            "nothing was changed: there is no terminal to ask for confirmation; check the plan above and add --yes"
        );
    }
    print!("apply this plan? [y/N] ");
    io::stdout().flush().context("stdout cannot be written")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("stdin cannot be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
