//! Brings topics, SmartModules and table formats onto a cluster, real or embedded.
//!
//! Deploying twice changes nothing the second time: each object is compared with what is there, and only what differs
//! is created or replaced.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use connector_runtime::cluster::Cluster;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::metadata::topic::config::TopicConfig;
use fluvio::{Fluvio, FluvioAdmin};

use crate::assets::{self, SmartModule};

#[derive(Args)]
pub struct Options {
    /// The fluvio profile of the cluster [default: the current one]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Partitions of each topic [default: what fluvio-config/topics says]
    #[arg(long, value_name = "N")]
    partitions: Option<u32>,
    /// Folder of the SmartModules [default: ../smartmodules beside this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
}

/// Deploys what ships with this command and says what changed.
pub async fn run(options: Options) -> Result<()> {
    let assets = Assets::shipped(options.smartmodules.as_deref(), options.partitions)?;
    let client = Cluster::from_profile(options.profile.as_deref())?
        .connect()
        .await?;
    for outcome in deploy(&client, assets).await? {
        println!("{outcome}");
    }
    Ok(())
}

/// What there is to deploy.
pub struct Assets {
    pub topics: Vec<TopicConfig>,
    pub smartmodules: Vec<SmartModule>,
    pub table_formats: Vec<TableFormatSpec>,
}

impl Assets {
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
        })
    }
}

/// What deploying did to one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Created,
    Replaced,
    Unchanged,
}

/// One line of what [`deploy`] did.
#[derive(Debug)]
pub struct Outcome {
    pub kind: &'static str,
    pub name: String,
    pub change: Change,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::Created => "created",
            Change::Replaced => "replaced",
            Change::Unchanged => "unchanged",
        };
        write!(f, "{:<12} {:<18} {change}", self.kind, self.name)
    }
}

/// Deploys `assets` onto the cluster behind `fluvio`.
///
/// # Errors
/// When a topic exists with another partition count (its records would change their partition), or when the cluster
/// refuses an object. Partition counts are checked before anything is created.
pub async fn deploy(fluvio: &Fluvio, assets: Assets) -> Result<Vec<Outcome>> {
    let admin = fluvio.admin().await;
    let mut outcomes = Vec::new();
    let present = present_topics(&admin, &assets.topics).await?;
    for (topic, present) in assets.topics.into_iter().zip(present) {
        let name = topic.meta.name.clone();
        if !present {
            admin
                .create(name.clone(), false, TopicSpec::from(topic))
                .await
                .with_context(|| format!("topic {name} cannot be created"))?;
        }
        let change = if present {
            Change::Unchanged
        } else {
            Change::Created
        };
        outcomes.push(Outcome {
            kind: "topic",
            name,
            change,
        });
    }
    for module in assets.smartmodules {
        let change = deploy_smartmodule(&admin, &module).await?;
        outcomes.push(Outcome {
            kind: "smartmodule",
            name: module.name.to_owned(),
            change,
        });
    }
    for format in assets.table_formats {
        let name = format.name.clone();
        let change = deploy_table_format(&admin, format).await?;
        outcomes.push(Outcome {
            kind: "table format",
            name,
            change,
        });
    }
    Ok(outcomes)
}

/// Which of the wanted topics are there; refuses one with another partition count.
async fn present_topics(admin: &FluvioAdmin, wanted: &[TopicConfig]) -> Result<Vec<bool>> {
    let existing = admin
        .all::<TopicSpec>()
        .await
        .context("topics cannot be listed")?;
    wanted
        .iter()
        .map(|topic| {
            let name = &topic.meta.name;
            let Some(found) = existing.iter().find(|t| t.name == *name) else {
                return Ok(false);
            };
            let (have, want) = (found.spec.partitions(), topic.partition.count.unwrap_or(1));
            if have != want {
                bail!(
                    "topic {name} has {have} partitions, {want} are wanted: delete the topic if its data can go, \
                     or deploy with --partitions {have}"
                );
            }
            Ok(true)
        })
        .collect()
}

async fn deploy_smartmodule(admin: &FluvioAdmin, module: &SmartModule) -> Result<Change> {
    let existing = admin
        .all::<SmartModuleSpec>()
        .await
        .context("SmartModules cannot be listed")?;
    let found = existing.iter().find(|m| m.name == module.name);
    if found.is_some_and(|found| found.spec.wasm == module.spec.wasm) {
        return Ok(Change::Unchanged);
    }
    // Creating an existing name replaces it.
    admin
        .create(module.name.to_owned(), false, module.spec.clone())
        .await
        .with_context(|| format!("SmartModule {} cannot be created", module.name))?;
    Ok(if found.is_some() {
        Change::Replaced
    } else {
        Change::Created
    })
}

async fn deploy_table_format(admin: &FluvioAdmin, format: TableFormatSpec) -> Result<Change> {
    let name = format.name.clone();
    let existing = admin
        .all::<TableFormatSpec>()
        .await
        .context("table formats cannot be listed")?;
    let found = existing.iter().find(|f| f.name == name);
    if found.is_some_and(|found| found.spec == format) {
        return Ok(Change::Unchanged);
    }
    let replaced = found.is_some();
    if replaced {
        admin
            .delete::<TableFormatSpec>(name.clone())
            .await
            .with_context(|| format!("table format {name} cannot be replaced"))?;
    }
    admin
        .create(name.clone(), false, format)
        .await
        .with_context(|| format!("table format {name} cannot be created"))?;
    Ok(if replaced {
        Change::Replaced
    } else {
        Change::Created
    })
}
