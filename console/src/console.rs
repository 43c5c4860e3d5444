//! Starts and stops the console.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use connector_runtime::cluster::Cluster;
use connector_runtime::process::monitor::has_metrics;
use connector_runtime::record::Record;
use futures_util::future::BoxFuture;
use lake::Lake;
use market::names::topic;
use parking_lot::Mutex;
use survey::{Blueprint, Tables};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::currency::find_currency;
use crate::desk::AlertDesk;
use crate::history::rules::FiringReader;
use crate::http::{self, Hosts};
use crate::meters;
use crate::models::{Models, ModelsConfig};
use crate::names::name_coins;
use crate::shared::Shared;
use crate::state::{ALERTS_MAX, REJECTS_MAX};
use crate::watch::{self, ChainTimes, Flow, Follow, Market as Origin, SourceReports};

/// How far back in crypto-features to start: an hour of a large market that ticks once a minute.
const FEATURES_BACK: i64 = 50_000;
const PREDICTIONS_BACK: i64 = 20_000;
/// How long open requests may take when the console stops. A client that does not read would never let go.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What a console shows, and where.
pub struct ConsoleConfig {
    /// The cluster that the platform runs on.
    pub cluster: Cluster,
    /// The lake that the stages write.
    pub lake: Lake,
    /// What the platform should consist of.
    pub blueprint: Blueprint,
    /// The model registry; without it the Models page is empty.
    pub models: Option<ModelsConfig>,
    /// Where the data comes from.
    pub market: Origin,
    /// What the source says of itself. Only one in this process can be asked.
    pub source: Option<SourceReports>,
    /// How long SmartModules take. Only a broker in this process reports it.
    pub chain_times: Option<ChainTimes>,
    /// What people do about alerts; without it nothing is known of that.
    pub desk: Option<Arc<dyn AlertDesk>>,
    /// Names of hosts that are served besides this machine's own, such as a proxy's. On a network address, none is for all.
    pub allowed_hosts: Vec<String>,
    /// Where to serve the page, as [`Console::bind`] has taken it.
    pub listener: TcpListener,
}

/// A running console. It ends when dropped; [`Console::stop`] also waits for open requests, a few seconds.
pub struct Console {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Console {
    /// Takes an address without serving anything yet; port 0 picks a free port.
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub async fn bind(listen: SocketAddr) -> Result<TcpListener> {
        TcpListener::bind(listen).await.with_context(|| {
            format!("the console cannot listen on {listen}: choose another address; port 0 picks a free port")
        })
    }

    /// Starts to follow the platform and to serve the page. Waits for neither the broker nor the lake.
    ///
    /// # Errors
    /// When the page cannot be served.
    pub fn start(config: ConsoleConfig) -> BoxFuture<'static, Result<Self>> {
        Box::pin(Self::open(config))
    }

    async fn open(config: ConsoleConfig) -> Result<Self> {
        meters::describe();
        let listener = config.listener;
        let addr = listener.local_addr()?;
        let hosts = Hosts::new(addr.ip(), config.allowed_hosts);
        let stages = config.blueprint.stages.iter();
        let destinations = stages.flat_map(|stage| &stage.destinations);
        let layers = destinations.filter_map(|destination| destination.layer.clone());
        let (flow, _) = tokio::sync::watch::channel(Flow::unknown(&config.blueprint));
        let stop = CancellationToken::new();
        let tables = Tables::new(config.lake);
        let shared = Arc::new(Shared {
            currency: config
                .market
                .currency
                .clone()
                .map_or_else(OnceLock::new, OnceLock::from),
            origin: config.market,
            cluster: config.cluster.clone(),
            tables: tables.clone(),
            layers: layers.collect(),
            firings: FiringReader::default(),
            models: config.models.map(Models::new),
            flow: flow.clone(),
            desk: config.desk,
            stop: stop.clone(),
            market: Mutex::default(),
            alerts: Mutex::default(),
            rejects: Mutex::default(),
        });
        let mut console = Self {
            addr,
            stop,
            tasks: JoinSet::new(),
        };
        console.follow_topics(&shared);
        console.spawn(watch::watch(
            config.cluster,
            tables,
            config.blueprint,
            config.chain_times,
            config.source,
            flow,
        ));
        // A day of rows is read for it.
        if has_metrics() {
            let state = Arc::clone(&shared);
            console.spawn(async move {
                if let Some(models) = &state.models {
                    models.report_drift().await;
                }
            });
        }
        console.spawn(name_coins(Arc::clone(&shared)));
        console.spawn(find_currency(Arc::clone(&shared)));
        let app = http::router(shared, hosts);
        let stopped = console.stop.clone().cancelled_owned();
        console.tasks.spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stopped);
            if let Err(error) = served.await {
                tracing::error!(%error, "the console stopped serving");
            }
        });
        Ok(console)
    }

    fn follow_topics(&mut self, shared: &Arc<Shared>) {
        let state = Arc::clone(shared);
        self.follow(
            shared,
            topic::FEATURES,
            FEATURES_BACK,
            move |partition, records| {
                state.market.lock().take_features(partition, records);
            },
        );
        let state = Arc::clone(shared);
        self.follow(
            shared,
            topic::PREDICTIONS,
            PREDICTIONS_BACK,
            move |partition, records| {
                state.market.lock().take_predictions(partition, records);
            },
        );
        let state = Arc::clone(shared);
        self.follow(
            shared,
            topic::ALERTS,
            ALERTS_MAX as i64,
            move |partition, records| {
                state.alerts.lock().take(partition, records);
            },
        );
        let state = Arc::clone(shared);
        self.follow(
            shared,
            topic::REJECTED,
            REJECTS_MAX as i64,
            move |partition, records| {
                state.rejects.lock().take(partition, records);
            },
        );
    }

    fn follow(
        &mut self,
        shared: &Shared,
        topic: &str,
        back: i64,
        mut take: impl FnMut(u32, &[Record]) + Send + 'static,
    ) {
        let taken = meters::records(topic);
        let follow = Follow {
            cluster: shared.cluster.clone(),
            topic: topic.to_owned(),
            back,
            next: BTreeMap::new(),
        };
        self.spawn(follow.run(move |partition, records| {
            taken.increment(records.len() as u64);
            take(partition, records);
        }));
    }

    /// Runs a task until the console stops.
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stop.clone();
        self.tasks.spawn(async move {
            stopped.run_until_cancelled(task).await;
        });
    }

    /// Where the console listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops the console, and returns when all its tasks have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_PATIENCE, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;
    use crate::watch::MarketKind;

    #[tokio::test]
    async fn a_client_that_does_not_read_does_not_keep_the_console_from_stopping() {
        let folder = tempfile::tempdir().unwrap();
        let console = Console::start(ConsoleConfig {
            // Nobody is there.
            cluster: Cluster::at("127.0.0.1:1"),
            lake: Lake::open_str(folder.path().to_str().unwrap(), []).unwrap(),
            blueprint: Blueprint {
                topics: Vec::new(),
                smartmodules: Vec::new(),
                stages: Vec::new(),
                live_topic: None,
            },
            models: None,
            market: Origin {
                kind: MarketKind::Live,
                name: String::new(),
                speed: None,
                currency: None,
            },
            source: None,
            chain_times: None,
            desk: None,
            allowed_hosts: Vec::new(),
            listener: Console::bind(([127, 0, 0, 1], 0).into()).await.unwrap(),
        });
        let console = console.await.unwrap();
        let mut client = TcpStream::connect(console.addr()).await.unwrap();
        let requests = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
        // Until the console takes no more, because its answers are not read.
        while let Ok(written) = timeout(
            Duration::from_secs(1),
            client.write_all(requests.as_bytes()),
        )
        .await
        {
            written.unwrap();
        }
        let stopping = Instant::now();
        timeout(2 * STOP_PATIENCE, console.stop()).await.unwrap();
        // Otherwise it was not kept from anything.
        assert!(stopping.elapsed() >= STOP_PATIENCE);
    }
}
