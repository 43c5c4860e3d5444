//! Brings topics, SmartModules and table formats onto a cluster, real or embedded, and takes them away again.
//!
//! Looking at the cluster ([`present`]), deciding ([`plan`], without I/O) and doing ([`apply`]) are apart: everything
//! that can be refused is refused before the first change, and people see the plan before it happens.

mod apply;
mod plan;
mod present;
mod wait;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::cluster::Client;
use connector_runtime::process::ClusterArgs;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::config::TopicConfig;
use market::model::ModelPair;

use crate::assets::{self, SmartModule};
use crate::serving;
use apply::apply;
use plan::Plan;
use present::Present;
use wait::wait;

/// How long a cluster may take to show what it has acknowledged.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
const SETTLE_POLL: Duration = Duration::from_millis(50);

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Partitions of each topic [default: what fluvio-config/topics says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    /// Folder of the SmartModules [default: ../smartmodules beside this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
    /// Data directory whose models in production are deployed, where MLFLOW_TRACKING_URI names no server
    #[arg(long, value_name = "DIR", default_value = "coinlake-data")]
    data: PathBuf,
    /// Apply the plan without asking
    #[arg(long)]
    yes: bool,
    /// Take SmartModules and table formats away again
    #[arg(long, conflicts_with_all = ["partitions", "smartmodules"])]
    delete: bool,
    /// With --delete: the topics too, with every record in them
    #[arg(long, requires = "delete")]
    with_data: bool,
    /// Change nothing: wait until somebody else has deployed, as what starts beside a deployment should
    #[arg(long, conflicts_with_all = ["yes", "delete", "partitions"])]
    wait: bool,
}

/// Shows what would change, asks, and changes it.
pub async fn run(options: Options) -> Result<()> {
    if options.wait {
        return wait(&options.cluster.named()?).await;
    }
    // What ships with the command is read first: a missing file needs no cluster to be found out.
    let wanted = match options.delete {
        true => Wanted::Gone {
            with_data: options.with_data,
        },
        false => Wanted::Deployed(Box::new(Assets {
            production: serving::in_production(&options.data).await,
            ..Assets::shipped(options.smartmodules.as_deref(), options.partitions)?
        })),
    };
    let cluster = options.cluster.named()?;
    let client = cluster.connect().await?;
    let plan = wanted.plan(&client).await?;
    println!("{}:\n{plan}", cluster.name());
    if plan.changes() == 0 {
        return Ok(());
    }
    if !options.yes && !agreed()? {
        bail!("nothing was changed");
    }
    wanted.bring_about(&client, plan).await?;
    println!("done");
    Ok(())
}

/// Deploys `assets` without asking.
///
/// # Errors
/// When a topic exists with another partition count (its records would change their partition), when a SmartModule is
/// too large, or when the cluster refuses something.
pub async fn deploy(client: &Client, assets: Assets) -> Result<()> {
    let wanted = Wanted::Deployed(Box::new(assets));
    let plan = wanted.plan(client).await?;
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    wanted.bring_about(client, plan).await
}

/// How the cluster should look afterwards.
enum Wanted {
    Deployed(Box<Assets>),
    Gone { with_data: bool },
}

impl Wanted {
    async fn plan(&self, client: &Client) -> Result<Plan> {
        let present = Present::look(client).await?;
        match self {
            Self::Deployed(assets) => Plan::deploy(assets, &present),
            Self::Gone { with_data } => Plan::delete(&present, *with_data),
        }
    }

    /// Carries the plan out and waits until the cluster shows it, topics with their leaders.
    async fn bring_about(&self, client: &Client, plan: Plan) -> Result<()> {
        apply(client, plan).await?;
        let settled = async {
            while self.plan(client).await?.changes() > 0 {
                tokio::time::sleep(SETTLE_POLL).await;
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(SETTLE_TIMEOUT, settled).await {
            Ok(settled) => settled?,
            Err(_) => bail!(
                "the cluster acknowledged every change and does not show them after {} s: look at its log, then deploy again",
                SETTLE_TIMEOUT.as_secs()
            ),
        }
        if let Self::Deployed(assets) = self {
            for topic in &assets.topics {
                let topic = TopicSettings {
                    partitions: topic.partition.count,
                    ..TopicSettings::named(&topic.meta.name)
                };
                ensure_topic(client, &topic).await?;
            }
        }
        Ok(())
    }
}

/// What there is to deploy.
pub struct Assets {
    pub topics: Vec<TopicConfig>,
    pub smartmodules: Vec<SmartModule>,
    pub table_formats: Vec<TableFormatSpec>,
    /// Models to be served in the place of those that are.
    pub production: ModelPair,
}

impl Assets {
    /// The SmartModule that serves models, and nothing else.
    pub fn serving(smartmodules: Option<&Path>, production: ModelPair) -> Result<Self> {
        let mut smartmodules = assets::smartmodules(smartmodules)?;
        smartmodules.retain(|module| module.name == serving::MODULE);
        Ok(Self {
            topics: Vec::new(),
            smartmodules,
            table_formats: Vec::new(),
            production,
        })
    }

    /// What ships with this command; `partitions` overrides the count in the topic files.
    pub fn shipped(smartmodules: Option<&Path>, partitions: Option<u32>) -> Result<Self> {
        let mut topics = assets::topics()?;
        if let Some(partitions) = partitions {
            for topic in &mut topics {
                topic.partition.count = Some(partitions);
            }
        }
        Ok(Self {
            topics,
            smartmodules: assets::smartmodules(smartmodules)?,
            table_formats: assets::table_formats()?,
            production: ModelPair::default(),
        })
    }
}

fn agreed() -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!(
            "there is no terminal to ask on: look at the plan above and say --yes, nothing was changed"
        );
    }
    print!("apply this plan? [y/N] ");
    io::stdout().flush().context("stdout cannot be written")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("the answer cannot be read")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
