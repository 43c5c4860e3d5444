//! The one-machine platform: broker, source and stages in one process, talking over TCP as on a cluster.
//!
//! Bringing it up has two phases, two types: a [`Backbone`] is a broker with everything deployed; a [`Platform`] is a
//! backbone whose source and stages run. A stage that ends with an error ends the platform: what can be mended by
//! trying again, the connectors retry by themselves.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use broker::{Broker, BrokerConfig};
use coingecko_source::{SourceSettings, SourceStatus};
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::process::monitor::Monitor;
use connector_runtime::reader;
use console::{ChainTime, Console, ConsoleConfig};
use lake::Lake;
use parquet_sink::StageStatus;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::assets;
use crate::data_dir::DataDir;
use crate::deploy::{Assets, deploy};
use crate::memory;
use crate::serving;
use crate::train;

/// One partition is the one-machine default; the files in fluvio-config/ are for clusters.
const PARTITIONS: u32 = 1;

/// Where the broker listens unless told otherwise: the port of Fluvio's SC.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9003";

/// The topic everything starts from.
pub const RAW: &str = "crypto-raw";

const DRAIN_POLL: Duration = Duration::from_millis(20);

/// A broker with topics, SmartModules and table formats.
pub struct Backbone {
    broker: Broker,
    cluster: Cluster,
    data: DataDir,
    console: Option<Console>,
}

impl Backbone {
    /// Starts the broker on `listen` and deploys.
    pub async fn start(
        data: DataDir,
        listen: SocketAddr,
        smartmodules: Option<&Path>,
    ) -> Result<Self> {
        // Read first: nothing is left half-started when a module is missing.
        let assets = Assets {
            production: serving::in_production(data.root()).await,
            ..Assets::shipped(smartmodules, Some(PARTITIONS))?
        };
        let broker = Broker::start(BrokerConfig {
            listen,
            ..BrokerConfig::new(data.broker())
        })
        .await?;
        data.set_broker_addr(&broker.addr().to_string())?;
        let cluster = Cluster::at(broker.addr());
        let client = cluster.connect().await?;
        deploy(&client, assets).await?;
        Ok(Self {
            broker,
            cluster,
            data,
            console: None,
        })
    }

    /// A fresh connection to the broker.
    pub async fn connect(&self) -> Result<Client> {
        Ok(self.cluster.connect().await?)
    }

    /// Where the broker listens.
    pub fn addr(&self) -> SocketAddr {
        self.broker.addr()
    }

    /// Serves the web page until the backbone stops; returns where.
    pub async fn serve_console(&mut self, listen: SocketAddr) -> Result<SocketAddr> {
        let lake = self.data.lake().display().to_string();
        let console = Console::start(ConsoleConfig {
            cluster: self.cluster.clone(),
            lake: Lake::open_str(&lake, [])?,
            blueprint: assets::blueprint()?,
            models: train::models_config(Some(self.data.root()), lake)?,
            chain_times: Some(self.chain_times()),
            listen,
        })
        .await?;
        let addr = console.addr();
        self.console = Some(console);
        Ok(addr)
    }

    fn chain_times(&self) -> console::ChainTimes {
        let times = self.broker.chain_times();
        Box::new(move |smartmodules| {
            times.of(smartmodules).map(|time| ChainTime {
                records: time.records,
                busy: time.busy,
            })
        })
    }

    /// Starts the stages, then the source.
    pub fn launch(self, source: ConnectorConfig<SourceSettings>) -> Result<Platform> {
        memory::give_back_regularly();
        let mut tasks = JoinSet::new();
        let stop_stages = CancellationToken::new();
        let mut stages = Vec::new();
        for mut config in assets::stages()? {
            config.settings.lake = self.data.lake().display().to_string();
            let status = Arc::new(StageStatus::default());
            stages.push(Stage {
                name: config.meta.name.clone(),
                topic: config.meta.topic.name.clone(),
                status: Arc::clone(&status),
            });
            let (name, cluster, stop) = (
                config.meta.name.clone(),
                self.cluster.clone(),
                stop_stages.clone(),
            );
            tasks.spawn(
                async move { (name, parquet_sink::run(config, cluster, stop, status).await) },
            );
        }
        let stop_source = CancellationToken::new();
        let source_status = Arc::new(SourceStatus::default());
        let (cluster, stop, status) = (
            self.cluster.clone(),
            stop_source.clone(),
            Arc::clone(&source_status),
        );
        let mut source_task = JoinSet::new();
        source_task
            .spawn(async move { coingecko_source::run(source, cluster, stop, status).await });
        Ok(Platform {
            backbone: self,
            stages,
            stage_tasks: tasks,
            stop_stages,
            source_status,
            source_task,
            stop_source,
        })
    }
}

/// One running `parquet-sink`.
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The topic it reads.
    pub topic: String,
    /// What it has done so far.
    pub status: Arc<StageStatus>,
}

/// Everything running.
pub struct Platform {
    backbone: Backbone,
    stages: Vec<Stage>,
    stage_tasks: JoinSet<(String, Result<()>)>,
    stop_stages: CancellationToken,
    source_status: Arc<SourceStatus>,
    source_task: JoinSet<Result<()>>,
    stop_source: CancellationToken,
}

impl Platform {
    /// The stages, in the order the data takes.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What the source has done so far.
    pub fn source_status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.source_status)
    }

    /// Has the monitor ask source and stages how they are.
    pub fn observe(&self, monitor: &Monitor) {
        monitor.observe("coingecko-source", self.source_status());
        for stage in &self.stages {
            monitor.observe(&stage.name, stage.status.clone());
        }
    }

    /// The embedded broker, as the connectors see it.
    pub fn cluster(&self) -> &Cluster {
        &self.backbone.cluster
    }

    /// A fresh connection to the broker.
    pub async fn connect(&self) -> Result<Client> {
        self.backbone.connect().await
    }

    /// Resolves when a connector ends by itself, which it only does for a reason that trying again cannot mend.
    pub async fn failed(&mut self) -> anyhow::Error {
        let (name, result) = tokio::select! {
            Some(ended) = self.stage_tasks.join_next() => match ended {
                Ok(ended) => ended,
                Err(panic) => ("a stage".to_owned(), Err(anyhow!(panic))),
            },
            Some(ended) = self.source_task.join_next() => {
                ("coingecko-source".to_owned(), ended.unwrap_or_else(|panic| Err(anyhow!(panic))))
            }
        };
        match result {
            Ok(()) => anyhow!("{name} ended before it was asked to"),
            Err(error) => error.context(format!("{name} stopped")),
        }
    }

    /// Resolves when crypto-raw holds `records` and every stage has passed on what lies in its topic.
    ///
    /// # Errors
    /// When a connector ends meanwhile, or the broker does not answer.
    pub async fn passed(&mut self, records: u64) -> Result<()> {
        let client = self.connect().await?;
        let mut poll = tokio::time::interval(DRAIN_POLL);
        // In the order the data takes: once a stage is through, the topic behind it has stopped growing.
        for index in 0..self.stages.len() {
            loop {
                tokio::select! {
                    _ = poll.tick() => {}
                    error = self.failed() => return Err(error),
                }
                if index == 0 && ends(&client, RAW).await?.iter().sum::<u64>() < records {
                    continue;
                }
                let stage = &self.stages[index];
                let end: u64 = ends(&client, &stage.topic).await?.iter().sum();
                if stage.status.next_input() >= end.cast_signed() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Stops source and stages where they are; what was read is committed.
    pub async fn stop(mut self) -> Result<Backbone> {
        self.end_source().await?;
        self.end_stages().await?;
        Ok(self.backbone)
    }

    async fn end_source(&mut self) -> Result<()> {
        self.stop_source.cancel();
        while let Some(ended) = self.source_task.join_next().await {
            ended?.context("coingecko-source stopped")?;
        }
        Ok(())
    }

    async fn end_stages(&mut self) -> Result<()> {
        self.stop_stages.cancel();
        while let Some(ended) = self.stage_tasks.join_next().await {
            let (name, result) = ended?;
            result.with_context(|| format!("{name} stopped"))?;
        }
        Ok(())
    }
}

impl Backbone {
    /// Stops the page, then the broker. What it acknowledged is on disk.
    pub async fn stop(self) {
        if let Some(console) = self.console {
            console.stop().await;
        }
        self.broker.stop().await;
    }
}

/// How many records each partition of `topic` has had.
pub async fn ends(client: &Client, topic: &str) -> Result<Vec<u64>> {
    let partitions = connector_runtime::topic::partition_count(client, topic).await?;
    let mut ends = Vec::new();
    for partition in 0..partitions {
        let range = reader::offsets(client, topic, partition).await?;
        ends.push(u64::try_from(range.end).context("a log never ends below zero")?);
    }
    Ok(ends)
}
