//! The first phase: a broker with topics, SmartModules and table formats.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::{Broker, BrokerConfig};
use coingecko_source::{BACKFILLING, SourceStatus};
use connector_runtime::clock::Clock;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::process::monitor::Observed as _;
use console::{ChainTime, ChainTimes, Console, ConsoleConfig, SourceReport, SourceReports};
use lake::Lake;
use tokio::net::TcpListener;

use super::data_dir::DataDir;
use super::desk::Desk;
use super::note::LastStart;
use crate::assets::{self, SmartModule};
use crate::deployment::{Bundle, TopicOptions, deploy};
use crate::models;

/// One machine needs no more; the topic files of fluvio-config/ are for clusters.
const PARTITIONS: u32 = 1;

/// What a backbone is started with.
pub(crate) struct BackboneConfig {
    pub(crate) data: DataDir,
    /// The bound listener, from [`Broker::bind`].
    pub(crate) listener: TcpListener,
    /// Host and port that the broker reports to clients on other machines.
    pub(crate) advertise: Option<(String, u16)>,
    pub(crate) smartmodules: Vec<SmartModule>,
    /// How long topics keep records, if not as shipped.
    pub(crate) retention: Option<Duration>,
    /// Written to the data directory for later commands; its broker is filled in at the start.
    pub(crate) last_start: LastStart,
}

/// How the console of a backbone is served.
pub(crate) struct ConsolePlan {
    /// How many times as fast as it was the market is replayed; `None` for a live one, and at full speed.
    pub(crate) speed: Option<f64>,
    /// The bound listener, from [`Console::bind`].
    pub(crate) listener: TcpListener,
    /// `Host` headers that are accepted besides this machine's own names.
    pub(crate) allowed_hosts: Vec<String>,
    /// Mutes and acknowledgements.
    pub(crate) desk: Arc<Desk>,
}

pub(crate) struct Backbone {
    broker: Broker,
    cluster: Cluster,
    data: DataDir,
    last_start: LastStart,
    source_status: Arc<SourceStatus>,
    console: Option<Console>,
}

impl Backbone {
    /// Starts the broker, and creates topics, table formats and SmartModules with the models in production.
    ///
    /// # Errors
    /// When the data directory cannot be written, the broker does not start, or it refuses what is deployed.
    pub(crate) async fn start(config: BackboneConfig) -> Result<Self> {
        let BackboneConfig {
            data,
            listener,
            advertise,
            smartmodules,
            retention,
            mut last_start,
        } = config;
        let production = models::models_in_production(data.root()).await;
        let options = TopicOptions {
            partitions: Some(PARTITIONS),
            replication: Some(1),
            retention,
        };
        let bundle = Bundle::complete(smartmodules, options, production)?;
        // Topics of an earlier start get the retention of today, too.
        let retention_of = bundle.topics.iter().filter_map(|topic| {
            let time = topic.retention.time?;
            Some((topic.meta.name.clone(), time))
        });
        let retention: HashMap<_, _> = retention_of.collect();
        let broker_config = BrokerConfig {
            advertise,
            retention,
            ..BrokerConfig::new(data.broker_dir())
        };
        let broker = Broker::start_on(listener, broker_config).await?;
        last_start.broker = Some(broker.inner_addr().to_string());
        data.set_last_start(last_start.clone())?;
        let clock = Clock::of_process()?;
        let cluster = Cluster::at(broker.inner_addr()).with_clock(clock.clone());
        let client = cluster
            .connect()
            .await
            .context("the broker of this process has started, and takes no connection")?;
        deploy(&client, bundle)
            .await
            .context("the broker of this process does not take its topics and SmartModules")?;
        Ok(Self {
            broker,
            cluster,
            data,
            last_start,
            source_status: Arc::new(SourceStatus::with_clock(clock)),
            console: None,
        })
    }

    /// The broker, as the connectors see it.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The status of the source that [`super::Platform`] starts later: the console shows it from its own start on.
    pub(crate) fn source_status(&self) -> Arc<SourceStatus> {
        Arc::clone(&self.source_status)
    }

    /// A new connection to the broker.
    pub(crate) async fn connect(&self) -> Result<Client> {
        Ok(self.cluster.connect().await?)
    }

    /// Where the broker listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.broker.addr()
    }

    /// The lake as a folder or URL.
    pub(crate) fn lake_url(&self) -> String {
        self.data.lake(self.last_start.lake.as_deref())
    }

    /// Serves the web console until the backbone stops; returns its address.
    ///
    /// # Errors
    /// When the data directory or the lake's address cannot be read, or the console does not start.
    pub(crate) async fn serve_console(&mut self, plan: ConsolePlan) -> Result<SocketAddr> {
        let (lake_url, market) = (self.lake_url(), self.data.market()?);
        let console = Console::start(ConsoleConfig {
            cluster: self.cluster.clone(),
            lake: Lake::open_str(&lake_url, [])?,
            blueprint: assets::blueprint(market.is_live(), self.last_start.commit_interval)?,
            models: models::console_models(Some(self.data.root()), lake_url)?,
            market: console::Market {
                speed: plan.speed,
                ..market.for_console()
            },
            source: Some(source_reports(self.source_status())),
            chain_times: Some(self.chain_times()),
            desk: Some(plan.desk),
            allowed_hosts: plan.allowed_hosts,
            listener: plan.listener,
        })
        .await?;
        let addr = console.addr();
        self.console = Some(console);
        Ok(addr)
    }

    fn chain_times(&self) -> ChainTimes {
        let times = self.broker.chain_times();
        Box::new(move |smartmodules| {
            times.of(smartmodules).map(|time| ChainTime {
                records: time.records,
                busy: time.busy,
            })
        })
    }

    /// Stops the console, then the broker. Records that the broker has acknowledged are on disk.
    pub(crate) async fn stop(self) {
        if let Some(console) = self.console {
            console.stop().await;
        }
        self.broker.stop().await;
    }
}

fn source_reports(status: Arc<SourceStatus>) -> SourceReports {
    Box::new(move || {
        let backfilling = status.backfilling();
        let last_reply_ms = status.last_success_ms.load(Ordering::Relaxed);
        SourceReport {
            last_reply_ms: (last_reply_ms > 0).then_some(last_reply_ms),
            poll_seconds: status.poll_interval().as_secs_f64(),
            replies: status.replies(),
            calls_this_month: status.calls_this_month.load(Ordering::Relaxed),
            calls_per_month: status.calls_per_month(),
            backfilling,
            // That the past is being filled in has a field of its own, and is no problem.
            problem: status
                .ready()
                .err()
                .filter(|problem| !problem.starts_with(BACKFILLING)),
            ended: status.market_has_ended(),
        }
    })
}
