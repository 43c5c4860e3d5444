//! The first phase: a broker with topics, SmartModules and table formats.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use broker::{Broker, BrokerConfig};
use coingecko_source::SourceStatus;
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
    /// Where the broker listens, as [`Broker::bind`] has taken it.
    pub(crate) listener: TcpListener,
    /// Host and port that clients elsewhere are told to connect to.
    pub(crate) advertise: Option<(String, u16)>,
    pub(crate) smartmodules: Vec<SmartModule>,
    /// How long topics keep records, if not as shipped.
    pub(crate) retention: Option<Duration>,
    /// What commands that look at the data directory are told; its broker is filled in.
    pub(crate) last_start: LastStart,
}

/// How the console of a backbone is served.
pub(crate) struct ConsolePlan {
    /// How many times as fast as it was the market is replayed, where it is.
    pub(crate) speed: Option<f64>,
    /// Where, as [`Console::bind`] has taken it.
    pub(crate) listener: TcpListener,
    /// Hosts that are served besides this machine's own names.
    pub(crate) allowed_hosts: Vec<String>,
    /// What people do about alerts.
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
    /// Starts the broker and deploys, with the models in production.
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
        // Topics of a start before get what new ones do.
        let retention_of = bundle.topics.iter().filter_map(|topic| {
            let time = topic.retention.time?;
            Some((topic.meta.name.clone(), time))
        });
        let retention_of: HashMap<_, _> = retention_of.collect();
        let broker_config = BrokerConfig {
            advertise,
            retention: retention_of,
            ..BrokerConfig::new(data.broker_dir())
        };
        let broker = Broker::start_on(listener, broker_config).await?;
        last_start.broker = Some(broker.inner_addr().to_string());
        data.set_last_start(last_start.clone())?;
        let clock = Clock::of_process()?;
        let cluster = Cluster::at(broker.inner_addr()).with_clock(clock.clone());
        let client = cluster.connect().await?;
        deploy(&client, bundle).await?;
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

    /// What its source says of itself.
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
            problem: status.ready().err().filter(|_| backfilling.is_none()),
            ended: status.market_has_ended(),
        }
    })
}
