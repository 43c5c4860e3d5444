//! `coinlake health`: is everything there, and how far is each stage?
//!
//! Everything is read from outside, from the broker and the lake, so that it works for the one-machine platform and for
//! a cluster alike, and also when a stage is down.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::secrets::Secrets;
use connector_runtime::{reader, topic};
use fluvio::metadata::smartmodule::SmartModuleSpec;
use parquet_sink::config::ParquetSettings;
use parquet_sink::lake::Lake;
use parquet_sink::{EMPTY_COMMIT_INTERVAL, SECTION};
use serde::Serialize;

use crate::assets;
use crate::data_dir::DataDir;
use crate::serving;
use crate::train::{DriftHealth, MlflowHealth, ModelsHealth};

/// A record that is not committed for so long means that its stage is stuck: ten times the shipped interval.
const COMMIT_AGE_MAX: Duration = Duration::from_secs(600);

#[derive(Args)]
pub struct Options {
    /// Data directory of `coinlake up` or `demo`, which tells where broker and lake are
    #[arg(
        long,
        value_name = "DIR",
        default_value = "coinlake-data",
        conflicts_with = "profile"
    )]
    data: PathBuf,
    /// A fluvio profile, to look at a cluster instead
    #[arg(long, value_name = "NAME", requires = "lake")]
    profile: Option<String>,
    /// The lake of that cluster: a folder or an object store URL
    #[arg(long, value_name = "URL", requires = "profile")]
    lake: Option<String>,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What was found; its JSON form is for scripts.
#[derive(Debug, Default, Serialize)]
struct Health {
    ok: bool,
    problems: Vec<String>,
    /// What deserves a look, and is not wrong.
    warnings: Vec<String>,
    topics: Vec<Topic>,
    smartmodules: Vec<Module>,
    /// What crypto-predict serves, such as `anomaly_ahead/3`.
    models: Vec<String>,
    stages: Vec<Stage>,
    lake: Vec<LakeLayer>,
    /// Where runs and versions are kept, if it is a server.
    mlflow: Option<MlflowHealth>,
    drift: Vec<DriftHealth>,
}

#[derive(Debug, Serialize)]
struct Topic {
    name: String,
    partitions: u32,
    records: i64,
}

#[derive(Debug, Serialize)]
struct Module {
    name: String,
    present: bool,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: String,
    topic: String,
    partition: u32,
    /// Input records that are not committed yet.
    lag: i64,
    committed_offset: Option<i64>,
    seconds_since_commit: Option<u64>,
}

#[derive(Debug, Serialize)]
struct LakeLayer {
    name: String,
    rows: u64,
    files: u64,
    bytes: u64,
}

/// Looks at everything and prints what was found; failure when something is wrong.
pub async fn run(options: Options) -> Result<ExitCode> {
    let health = match look(&options).await {
        Ok(health) => health,
        // What cannot even be looked at is a finding too: scripts get it in the same form.
        Err(error) => Health {
            problems: vec![format!("{error:#}")],
            ..Health::default()
        },
    };
    if options.json {
        println!("{}", serde_json::to_string(&health)?);
    } else {
        health.print();
    }
    Ok(if health.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn look(options: &Options) -> Result<Health> {
    let (cluster, lake) = match (&options.profile, &options.lake) {
        (Some(profile), Some(lake)) => (Cluster::from_profile(Some(profile))?, lake.clone()),
        _ => {
            let data = DataDir::existing(&options.data)?;
            let addr = data
                .broker_addr()?
                .context("no broker has run on this data directory yet")?;
            (Cluster::at(addr), data.lake().display().to_string())
        }
    };
    let client = cluster.connect().await?;
    let mut health = Health::default();
    health.look_at_topics(&client).await?;
    health.look_at_smartmodules(&client).await?;
    health.look_at_stages(&client, &lake).await?;
    let models = ModelsHealth::look(&options.data, &lake).await;
    health.problems.extend(models.problems);
    health.warnings.extend(models.warnings);
    health.mlflow = models.mlflow;
    health.drift = models.drift;
    health.ok = health.problems.is_empty();
    Ok(health)
}

impl Health {
    async fn look_at_topics(&mut self, client: &Client) -> Result<()> {
        for config in assets::topics()? {
            let name = config.meta.name;
            match records(client, &name).await {
                Ok((partitions, records)) => self.topics.push(Topic {
                    name,
                    partitions,
                    records,
                }),
                Err(error) => self.problems.push(format!(
                    "topic {name}: {error:#}; `coinlake deploy` creates it"
                )),
            }
        }
        Ok(())
    }

    async fn look_at_smartmodules(&mut self, client: &Client) -> Result<()> {
        let present = client
            .admin()
            .await
            .all::<SmartModuleSpec>()
            .await
            .context("SmartModules cannot be listed")?;
        for name in assets::SMARTMODULES {
            let found = present.iter().find(|module| module.name == name);
            if found.is_none() {
                self.problems.push(format!(
                    "SmartModule {name} is missing: `coinlake deploy` creates it"
                ));
            }
            self.smartmodules.push(Module {
                name: name.to_owned(),
                present: found.is_some(),
            });
            if let Some(module) = found.filter(|_| name == serving::MODULE) {
                match serving::served_by(&module.spec) {
                    Ok(pair) => self.models = pair.labels(),
                    Err(error) => self.problems.push(format!("SmartModule {name}: {error}")),
                }
            }
        }
        Ok(())
    }

    async fn look_at_stages(&mut self, client: &Client, lake_url: &str) -> Result<()> {
        let lake = Lake::open_str(lake_url, [])?;
        for text in assets::STAGES {
            let config =
                ConnectorConfig::<ParquetSettings>::from_yaml(text, SECTION, &Secrets::none())
                    .context("a shipped stage config is broken")?;
            let layers: Vec<_> = config
                .settings
                .destinations
                .iter()
                .filter_map(|d| d.layer.as_ref())
                .collect();
            for layer in &layers {
                let summary = lake.layer_summary(&layer.name).await?;
                self.lake.push(LakeLayer {
                    name: layer.name.clone(),
                    rows: summary.rows,
                    files: summary.files,
                    bytes: summary.bytes,
                });
            }
            let main = layers.first().context("a shipped stage has no layer")?;
            let input = &config.meta.topic.name;
            let Ok(partitions) = topic::partition_count(client, input).await else {
                continue; // the topic is missing, which is among the problems already
            };
            for partition in 0..partitions {
                let log = reader::offsets(client, input, partition).await?;
                let newest = lake.newest(&main.name, input, partition).await?;
                let committed = match &newest {
                    Some(file) => Some(lake.stamp(&file.path).await?.last_offset),
                    None => None,
                };
                let commit_age = newest.map(|file| age(file.modified_ms));
                let next = committed.map_or(0, |last| last + 1).max(log.start);
                let lag = (log.end - next).max(0);
                // How long the oldest of the waiting records has waited.
                let waiting = match lag {
                    0 => None,
                    _ => reader::read_range(client, input, partition, next..next + 1)
                        .await?
                        .first()
                        .map(|record| age(record.timestamp_ms)),
                };
                // One that need not answer every input with a row may have nothing to commit for long.
                let patience = match config.settings.destinations.as_slice() {
                    [only] if only.when.is_some() => COMMIT_AGE_MAX + EMPTY_COMMIT_INTERVAL,
                    _ => COMMIT_AGE_MAX,
                };
                if let Some(waiting) = waiting.filter(|waiting| *waiting > patience) {
                    self.problems.push(format!(
                        "stage {} is behind: {lag} records of {input}/{partition} are not committed, the oldest for {} s; \
                         is it running?",
                        config.meta.name,
                        waiting.as_secs()
                    ));
                }
                self.stages.push(Stage {
                    name: config.meta.name.clone(),
                    topic: input.clone(),
                    partition,
                    lag,
                    committed_offset: committed,
                    seconds_since_commit: commit_age.map(|age| age.as_secs()),
                });
            }
        }
        Ok(())
    }

    fn print(&self) {
        for topic in &self.topics {
            println!(
                "topic       {:<18} {:>10} records",
                topic.name, topic.records
            );
        }
        for module in &self.smartmodules {
            println!(
                "smartmodule {:<18} {}",
                module.name,
                if module.present { "present" } else { "missing" }
            );
        }
        for model in &self.models {
            println!("model       {model:<18} serves");
        }
        for stage in &self.stages {
            let commit = stage
                .seconds_since_commit
                .map_or_else(|| "never".to_owned(), |s| format!("{s} s ago"));
            println!(
                "stage       {:<18} lag {}, last commit {commit}",
                format!("{}/{}", stage.name, stage.partition),
                stage.lag
            );
        }
        for layer in &self.lake {
            println!(
                "lake        {:<18} {:>10} rows, {} files, {} bytes",
                layer.name, layer.rows, layer.files, layer.bytes
            );
        }
        if let Some(mlflow) = &self.mlflow {
            println!("{mlflow}");
        }
        for drift in &self.drift {
            println!("{drift}");
        }
        for warning in &self.warnings {
            println!("warning     {warning}");
        }
        for problem in &self.problems {
            println!("problem     {problem}");
        }
        println!("{}", if self.ok { "healthy" } else { "not healthy" });
    }
}

/// Partitions of a topic and the records it holds.
async fn records(client: &Client, name: &str) -> Result<(u32, i64)> {
    let partitions = topic::partition_count(client, name).await?;
    let mut records = 0;
    for partition in 0..partitions {
        let range = reader::offsets(client, name, partition).await?;
        records += range.end - range.start;
    }
    Ok((partitions, records))
}

/// How long ago a moment was, by this machine's clock.
fn age(at_ms: i64) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.saturating_sub(Duration::from_millis(u64::try_from(at_ms).unwrap_or(0)))
}
