//! The second phase: source and stages running on a backbone.
//!
//! A connector that ends with an error ends the platform: it retries by itself whatever a retry can fix.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use coingecko_source::{SourceSettings, SourceStatus};
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::process::monitor::Monitor;
use futures_util::future::BoxFuture;
use market::names::topic;
use parquet_sink::{StageConfig, StageStatus};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backbone::Backbone;
use super::end_offsets::end_offsets;
use super::memory;

/// The name of the source in errors and in probes.
const SOURCE_NAME: &str = "coingecko-source";

/// What a command says when the first signal has come.
pub(crate) const STOPPING: &str =
    "stopping: what has been read is being committed; Ctrl-C again ends at once";
/// What it says at the end.
pub(crate) const STOPPED: &str = "stopped; everything read so far is committed";

const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running `parquet-sink`.
pub(crate) struct Stage {
    pub(crate) name: String,
    /// The topic it reads.
    pub(crate) topic: String,
    pub(crate) status: Arc<StageStatus>,
}

pub(crate) struct Platform {
    backbone: Backbone,
    stages: Vec<Stage>,
    stage_tasks: JoinSet<(String, Result<()>)>,
    stop_stages: CancellationToken,
    source_status: Arc<SourceStatus>,
    source_task: JoinSet<Result<()>>,
    stop_source: CancellationToken,
}

impl Platform {
    /// Starts the stages, on the backbone's lake, then the source.
    pub(crate) fn launch(
        backbone: Backbone,
        source: ConnectorConfig<SourceSettings>,
        stage_configs: Vec<StageConfig>,
    ) -> Self {
        let stop = CancellationToken::new();
        Self::start(backbone, stage_configs, stop, |cluster, stop, status| {
            coingecko_source::run(source, cluster, stop, status)
        })
    }

    /// The same with a source that fills in the past since so long ago and ends, earlier if `stop` says so.
    pub(crate) fn backfill(
        backbone: Backbone,
        source: ConnectorConfig<SourceSettings>,
        since: Duration,
        stage_configs: Vec<StageConfig>,
        stop: CancellationToken,
    ) -> Self {
        Self::start(backbone, stage_configs, stop, |cluster, stop, status| {
            coingecko_source::backfill(source, since, cluster, stop, status)
        })
    }

    fn start(
        backbone: Backbone,
        stage_configs: Vec<StageConfig>,
        stop_source: CancellationToken,
        source: impl FnOnce(
            Cluster,
            CancellationToken,
            Arc<SourceStatus>,
        ) -> BoxFuture<'static, Result<()>>,
    ) -> Self {
        memory::trim_regularly(backbone.cluster().clock().clone());
        let mut stage_tasks = JoinSet::new();
        let stop_stages = CancellationToken::new();
        let mut stages = Vec::new();
        for mut config in stage_configs {
            config.settings.lake = backbone.lake_url();
            let status = Arc::new(StageStatus::default());
            let name = config.meta.name.clone();
            stages.push(Stage {
                name: name.clone(),
                topic: config.meta.topic.name.clone(),
                status: Arc::clone(&status),
            });
            let (cluster, stop) = (backbone.cluster().clone(), stop_stages.clone());
            stage_tasks.spawn(async move {
                (name, parquet_sink::run(config, cluster, stop, status).await)
            });
        }
        let source_status = backbone.source_status();
        let mut source_task = JoinSet::new();
        source_task.spawn(source(
            backbone.cluster().clone(),
            stop_source.clone(),
            Arc::clone(&source_status),
        ));
        Self {
            backbone,
            stages,
            stage_tasks,
            stop_stages,
            source_status,
            source_task,
            stop_source,
        }
    }

    /// The stages, in the order the data takes.
    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    pub(crate) fn source_status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.source_status)
    }

    /// Adds source and stages to the monitor's probes and metrics.
    pub(crate) fn observe(&self, monitor: &Monitor) {
        monitor.observe(SOURCE_NAME, self.source_status());
        for stage in &self.stages {
            monitor.observe(&stage.name, stage.status.clone());
        }
    }

    /// The broker, as the connectors see it.
    pub(crate) fn cluster(&self) -> &Cluster {
        self.backbone.cluster()
    }

    /// A new connection to the broker.
    pub(crate) async fn connect(&self) -> Result<Client> {
        self.backbone.connect().await
    }

    /// Resolves when a connector ends by itself, which it only does for a reason that a retry cannot fix.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            error = stage_failed(&mut self.stage_tasks) => error,
            Some(ended) = self.source_task.join_next() => {
                let ended = ended.unwrap_or_else(|panic| Err(anyhow!(panic)));
                failure(SOURCE_NAME, ended)
            }
        }
    }

    /// Resolves when a source that fills in the past has ended.
    ///
    /// # Errors
    /// Its own, or why a stage ended meanwhile.
    pub(crate) async fn filled(&mut self) -> Result<()> {
        tokio::select! {
            error = stage_failed(&mut self.stage_tasks) => Err(error),
            Some(ended) = self.source_task.join_next() => {
                ended.unwrap_or_else(|panic| Err(anyhow!(panic)))
            }
        }
    }

    /// Resolves when crypto-raw has had `records` and no stage lags: each has processed its whole topic, and the lake holds what came
    /// of it.
    ///
    /// # Errors
    /// When a connector ends meanwhile, or the broker does not answer.
    pub(crate) async fn drained(&mut self, records: u64) -> Result<()> {
        let client = self.connect().await?;
        let mut poll = tokio::time::interval(DRAIN_POLL_INTERVAL);
        // In the order the data takes: once a stage is done, its output topics have stopped growing.
        for index in 0..self.stages.len() {
            loop {
                tokio::select! {
                    _ = poll.tick() => {}
                    error = self.failed() => return Err(error),
                }
                if index == 0 {
                    let sent: u64 = end_offsets(&client, topic::RAW).await?.iter().sum();
                    if sent < records {
                        continue;
                    }
                }
                let stage = &self.stages[index];
                let end: u64 = end_offsets(&client, &stage.topic).await?.iter().sum();
                if stage.status.next_input() < end.cast_signed() {
                    continue;
                }
                if stage.status.next_uncommitted() >= end.cast_signed() {
                    break;
                }
                stage.status.commit_now();
            }
        }
        Ok(())
    }

    /// Stops source and stages where they are, once they have committed what they have read. One that fails does not keep the
    /// others from it; the first failure is returned.
    pub(crate) async fn stop(mut self) -> (Backbone, Result<()>) {
        let mut stopped = Ok(());
        self.stop_source.cancel();
        while let Some(ended) = self.source_task.join_next().await {
            let result = ended.unwrap_or_else(|panic| Err(anyhow!(panic)));
            stopped = stopped.and(result.with_context(|| format!("{SOURCE_NAME} stopped")));
        }
        self.stop_stages.cancel();
        while let Some(ended) = self.stage_tasks.join_next().await {
            stopped = stopped.and(match ended {
                Ok((name, result)) => result.with_context(|| format!("{name} stopped")),
                Err(panic) => Err(failure("a stage", Err(anyhow!(panic)))),
            });
        }
        (self.backbone, stopped)
    }
}

async fn stage_failed(tasks: &mut JoinSet<(String, Result<()>)>) -> anyhow::Error {
    match tasks.join_next().await {
        Some(Ok((name, result))) => failure(&name, result),
        Some(Err(panic)) => failure("a stage", Err(anyhow!(panic))),
        None => std::future::pending().await,
    }
}

fn failure(name: &str, result: Result<()>) -> anyhow::Error {
    match result {
        Ok(()) => anyhow!("{name} ended unexpectedly"),
        Err(error) => error.context(format!("{name} stopped")),
    }
}
