//! The platform as it looks from outside: from the broker and the lake alone.
//!
//! So it works for the one-machine platform and for a cluster alike, and also when a stage is down. `coinlake health` looks
//! once, the console again and again: footers of files are read once, as files never change.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::reader::LogRange;
use connector_runtime::smartmodule::goes_by;
use connector_runtime::topic::TopicError;
use connector_runtime::{reader, topic};
use fluvio::metadata::smartmodule::SmartModuleSpec;
use lake::{DataFile, Lake};
use market::model::{ModelError, ModelPair, slot};
use serde::Serialize;

/// The SmartModule with the slot for models.
const MODEL_SERVER: &str = "crypto-predict";

/// What there should be.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Names of the topics, in the order the data takes.
    pub topics: Vec<String>,
    /// Names of the SmartModules.
    pub smartmodules: Vec<String>,
    /// The stages, in the order the data takes.
    pub stages: Vec<StagePlan>,
}

/// A stage there should be.
#[derive(Debug, Clone)]
pub struct StagePlan {
    /// Its name.
    pub name: String,
    /// The topic it reads.
    pub input: String,
    /// The SmartModules it reads through.
    pub smartmodules: Vec<String>,
    /// Where its outputs go. The first one with a layer holds its commits.
    pub destinations: Vec<DestinationPlan>,
    /// A record that is not committed after this time means that the stage is stuck.
    pub commit_age_max: Duration,
}

/// Where outputs of a stage go: a topic, a layer of the lake, or both.
#[derive(Debug, Clone)]
pub struct DestinationPlan {
    /// The topic.
    pub topic: Option<String>,
    /// The layer.
    pub layer: Option<String>,
}

/// What was found; its JSON form is for scripts and for the page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    /// Whether there is no problem.
    pub ok: bool,
    /// What is wrong, and what to do about it.
    pub problems: Vec<Problem>,
    /// The topics that are there.
    pub topics: Vec<Topic>,
    /// Every SmartModule there should be.
    pub smartmodules: Vec<SmartModule>,
    /// The models that crypto-predict serves, such as `anomaly_ahead/3`.
    pub models: Vec<String>,
    /// Every partition of every stage.
    pub stages: Vec<Stage>,
    /// The layers of the lake.
    pub lake: Vec<LakeLayer>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The name of the topic, SmartModule or stage; empty when nothing could be looked at.
    pub about: String,
    /// A sentence with the remedy.
    pub message: String,
}

/// A topic.
#[derive(Debug, Clone, Serialize)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// The records it holds.
    pub records: i64,
}

/// A SmartModule.
#[derive(Debug, Clone, Serialize)]
pub struct SmartModule {
    /// Its name.
    pub name: String,
    /// Whether the cluster has it.
    pub present: bool,
}

/// One partition of a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// The stage's name.
    pub name: String,
    /// The topic it reads.
    pub topic: String,
    /// Which partition of it.
    pub partition: u32,
    /// Input records that are not committed yet.
    pub lag: i64,
    /// The last input that is committed.
    pub committed_offset: Option<i64>,
    /// How long ago the last commit was.
    pub seconds_since_commit: Option<u64>,
}

/// A layer of the lake.
#[derive(Debug, Clone, Serialize)]
pub struct LakeLayer {
    /// Its name.
    pub name: String,
    /// Rows in all files.
    pub rows: u64,
    /// How many files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// Looks at a platform, as often as asked.
pub struct Surveyor {
    blueprint: Blueprint,
    lake: Lake,
    /// By path. A file never changes, so neither does the number of its rows.
    rows_of_file: HashMap<String, u64>,
}

impl Surveyor {
    /// Looks for what `blueprint` says; the cluster is named at each look.
    pub fn new(blueprint: Blueprint, lake: Lake) -> Self {
        Self {
            blueprint,
            lake,
            rows_of_file: HashMap::new(),
        }
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// When broker or lake do not answer. What is merely not as it should be is a [`Problem`].
    pub async fn look(&mut self, client: &Client) -> Result<Survey> {
        let mut survey = Survey::default();
        survey.look_at_topics(client, &self.blueprint).await?;
        survey.look_at_smartmodules(client, &self.blueprint).await?;
        for stage in self.blueprint.stages.clone() {
            self.look_at_stage(client, &stage, &mut survey).await?;
        }
        survey.ok = survey.problems.is_empty();
        Ok(survey)
    }

    async fn look_at_stage(
        &mut self,
        client: &Client,
        stage: &StagePlan,
        survey: &mut Survey,
    ) -> Result<()> {
        let mut main_files: Option<Vec<DataFile>> = None;
        for layer in stage.destinations.iter().filter_map(|d| d.layer.as_ref()) {
            let files = self.lake.files(layer).await?;
            survey.lake.push(self.layer(layer, &files).await?);
            main_files.get_or_insert(files);
        }
        let main_files = main_files.context("a shipped stage has no layer")?;
        let input = &stage.input;
        let Ok(partitions) = topic::partition_count(client, input).await else {
            return Ok(()); // the topic is missing, which is among the problems already
        };
        for partition in 0..partitions {
            let newest = main_files
                .iter()
                .rfind(|f| f.name.topic == *input && f.name.partition == partition);
            let committed = match newest {
                Some(file) => Some(self.lake.stamp(&file.path).await?.last_offset),
                None => None,
            };
            let log = reader::offsets(client, input, partition).await?;
            let next = committed.map_or(0, |last| last + 1).max(log.start);
            let lag = (log.end - next).max(0);
            let waiting = waiting(client, input, partition, next, log).await?;
            if let Some(waiting) = waiting.filter(|waiting| *waiting > stage.commit_age_max) {
                survey.problems.push(Problem {
                    about: stage.name.clone(),
                    message: format!(
                        "stage {} is behind: {lag} records of {input}/{partition} are not committed, the oldest for \
                         {} s; is it running?",
                        stage.name,
                        waiting.as_secs()
                    ),
                });
            }
            survey.stages.push(Stage {
                name: stage.name.clone(),
                topic: input.clone(),
                partition,
                lag,
                committed_offset: committed,
                seconds_since_commit: newest.map(|file| age(file.modified_ms).as_secs()),
            });
        }
        Ok(())
    }

    async fn layer(&mut self, name: &str, files: &[DataFile]) -> Result<LakeLayer> {
        let mut layer = LakeLayer {
            name: name.to_owned(),
            rows: 0,
            files: files.len() as u64,
            bytes: 0,
        };
        for file in files {
            let rows = match self.rows_of_file.get(&file.path) {
                Some(rows) => *rows,
                None => {
                    let metadata = self.lake.metadata(&file.path).await?;
                    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
                    self.rows_of_file.insert(file.path.clone(), rows);
                    rows
                }
            };
            layer.rows += rows;
            layer.bytes += file.bytes;
        }
        Ok(layer)
    }
}

impl Survey {
    /// What is told when nothing could be looked at.
    pub fn failed(error: &anyhow::Error) -> Self {
        Self {
            problems: vec![Problem {
                about: String::new(),
                message: format!("{error:#}"),
            }],
            ..Self::default()
        }
    }

    async fn look_at_topics(&mut self, client: &Client, blueprint: &Blueprint) -> Result<()> {
        for name in &blueprint.topics {
            match records(client, name).await {
                Ok((partitions, records)) => self.topics.push(Topic {
                    name: name.clone(),
                    partitions,
                    records,
                }),
                Err(error) => {
                    let message = match error.downcast_ref() {
                        Some(TopicError::Missing { .. }) => {
                            format!("topic {name} is missing: `coinlake deploy` creates it")
                        }
                        _ => format!("topic {name}: {error:#}"),
                    };
                    self.problems.push(Problem {
                        about: name.clone(),
                        message,
                    });
                }
            }
        }
        Ok(())
    }

    async fn look_at_smartmodules(&mut self, client: &Client, blueprint: &Blueprint) -> Result<()> {
        let present = client
            .admin()
            .await
            .all::<SmartModuleSpec>()
            .await
            .context("SmartModules cannot be listed")?;
        for name in &blueprint.smartmodules {
            let mut matching = present.iter().filter(|module| goes_by(module, name));
            let found = matching.next();
            if let (Some(one), Some(other)) = (found, matching.next()) {
                let [one, other] = [one, other].map(|module| module.spec.fqdn(&module.name));
                self.problems.push(Problem {
                    about: name.clone(),
                    message: format!(
                        "SmartModule {name} may be {one} or {other}, and stages stop: `coinlake deploy` deletes the package"
                    ),
                });
            }
            if found.is_none() {
                self.problems.push(Problem {
                    about: name.clone(),
                    message: format!("SmartModule {name} is missing: `coinlake deploy` creates it"),
                });
            }
            self.smartmodules.push(SmartModule {
                name: name.clone(),
                present: found.is_some(),
            });
            if let Some(module) = found.filter(|_| name == MODEL_SERVER) {
                match served_by(&module.spec) {
                    Ok(pair) => self.models = pair.labels(),
                    Err(error) => self.problems.push(Problem {
                        about: name.clone(),
                        message: format!("SmartModule {name}: {error}"),
                    }),
                }
            }
        }
        Ok(())
    }
}

/// The models that a cluster's module serves.
fn served_by(module: &SmartModuleSpec) -> Result<ModelPair, ModelError> {
    // What cannot be unpacked is no module of ours.
    let wasm = module.wasm.as_raw_wasm();
    slot::read(&wasm.map_err(|_| ModelError::NoSlot)?)
}

/// Partitions of a topic and the records it holds.
async fn records(client: &Client, name: &str) -> Result<(u32, i64)> {
    let partitions = topic::partition_count(client, name).await?;
    let mut records = 0;
    for partition in 0..partitions {
        records += reader::offsets(client, name, partition).await?.len();
    }
    Ok((partitions, records))
}

/// How long the oldest of the records from `next` on has waited; `None` when there is none.
async fn waiting(
    client: &Client,
    input: &str,
    partition: u32,
    next: i64,
    log: LogRange,
) -> Result<Option<Duration>> {
    if next >= log.end {
        return Ok(None);
    }
    let oldest = reader::read_range(client, input, partition, next..next + 1).await?;
    Ok(oldest.first().map(|record| age(record.timestamp_ms)))
}

/// How long ago a moment was, by this machine's clock.
fn age(at_ms: i64) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.saturating_sub(Duration::from_millis(u64::try_from(at_ms).unwrap_or(0)))
}
