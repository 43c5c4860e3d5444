//! The second phase: source and stages running on a backbone.
//!
//! A connector that ends with an error ends the platform: it retries by itself whatever a retry can fix.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use coingecko_source::{SourceSettings, SourceStatus};
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::process::monitor::Monitor;
use futures_util::future::BoxFuture;
use market::names::topic;
use parquet_sink::{StageConfig, StageStatus};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::backbone::Backbone;
use super::connectors::Connectors;
use super::end_offsets::end_offsets;
use super::memory;

/// The name of the source in errors and in probes.
const SOURCE_NAME: &str = "coingecko-source";

/// What a command says when the first signal has come.
pub(crate) const STOPPING: &str =
    "stopping: what has been read is being committed; Ctrl-C again ends at once";
/// What it says when a part has failed. No signal has come yet, so it takes two to end at once.
pub(crate) const STOPPING_AFTER_FAILURE: &str =
    "stopping after a failure: what has been read is being committed; Ctrl-C twice ends at once";
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
    running_stages: Connectors,
    stop_stages: CancellationToken,
    running_source: Connectors,
    stop_source: CancellationToken,
}

impl Platform {
    /// Starts the stages, given in the order the data takes, on the backbone's lake, then the source.
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

    /// As [`Self::launch`], with a source that fills in the last `since` and then ends, or earlier when `stop` is cancelled.
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
        let mut running_stages = Connectors::default();
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
            running_stages.spawn(name, parquet_sink::run(config, cluster, stop, status));
        }
        let mut running_source = Connectors::default();
        let source = source(
            backbone.cluster().clone(),
            stop_source.clone(),
            backbone.source_status(),
        );
        running_source.spawn(SOURCE_NAME.to_owned(), source);
        Self {
            backbone,
            stages,
            running_stages,
            stop_stages,
            running_source,
            stop_source,
        }
    }

    /// The stages, in the order the data takes.
    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    pub(crate) fn source_status(&self) -> Arc<SourceStatus> {
        self.backbone.source_status()
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
            error = self.running_stages.failed() => error,
            error = self.running_source.failed() => error,
        }
    }

    /// Resolves when a source that fills in the past has ended.
    ///
    /// # Errors
    /// Its own, or why a stage ended meanwhile.
    pub(crate) async fn filled(&mut self) -> Result<()> {
        tokio::select! {
            error = self.running_stages.failed() => Err(error),
            Some((_, ended)) = self.running_source.next_ended() => ended,
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
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while total(&client, topic::RAW).await? < records {
            self.tick(&mut poll).await?;
        }
        // In the order the data takes: once a stage is done, its output topics have stopped growing.
        for index in 0..self.stages.len() {
            loop {
                self.tick(&mut poll).await?;
                let stage = &self.stages[index];
                let end = total(&client, &stage.topic).await?;
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

    /// The poll's next tick.
    ///
    /// # Errors
    /// When a connector ends before.
    async fn tick(&mut self, poll: &mut Interval) -> Result<()> {
        tokio::select! {
            _ = poll.tick() => Ok(()),
            error = self.failed() => Err(error),
        }
    }

    /// Lets source and stages commit what they have read, and stops them. A failure of one does not prevent the others from
    /// committing; all failures are returned.
    pub(crate) async fn stop(mut self) -> (Backbone, Vec<anyhow::Error>) {
        self.stop_source.cancel();
        let mut failures = self.running_source.failures().await;
        self.stop_stages.cancel();
        failures.extend(self.running_stages.failures().await);
        (self.backbone, failures)
    }
}

/// How many records a topic has had.
async fn total(client: &Client, topic: &str) -> Result<u64> {
    Ok(end_offsets(client, topic).await?.iter().sum())
}
