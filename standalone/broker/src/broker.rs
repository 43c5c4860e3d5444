//! A running broker: opening its data, serving, syncing, stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::smartmodule::{SmartModuleSpec, SmartModuleStatus};
use fluvio_sc_schema::tableformat::{TableFormatSpec, TableFormatStatus};
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chain_times::ChainTimes;
use crate::config::BrokerConfig;
use crate::data_dir::DataDir;
use crate::error::BrokerError;
use crate::metadata::{Consumers, Registry, Specs, Store, Topics};
use crate::shared::Shared;
use crate::smart::Engine;
use crate::{connection, limits, log, meters};

/// A running broker. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    inner_addr: SocketAddr,
    shared: Arc<Shared>,
    _stops: tokio_util::sync::DropGuard,
}

impl Broker {
    /// Opens the data directory and starts to serve, in tasks of the tokio runtime it is called in.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the data directory cannot be used: each error says what to do.
    pub fn start(config: BrokerConfig) -> BoxFuture<'static, Result<Self, BrokerError>> {
        Box::pin(async move {
            let listener = Self::bind(config.listen).await?;
            Self::open(listener, config).await
        })
    }

    /// Takes an address without touching any data, for [`Broker::start_on`].
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub async fn bind(addr: SocketAddr) -> Result<TcpListener, BrokerError> {
        TcpListener::bind(addr)
            .await
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => BrokerError::AddrInUse { addr },
                _ => BrokerError::Listen { addr, source },
            })
    }

    /// As [`Broker::start`], on an address that was taken before, in place of `config.listen`.
    ///
    /// # Errors
    /// When the data directory cannot be used.
    pub fn start_on(
        listener: TcpListener,
        config: BrokerConfig,
    ) -> BoxFuture<'static, Result<Self, BrokerError>> {
        Box::pin(Self::open(listener, config))
    }

    async fn open(listener: TcpListener, config: BrokerConfig) -> Result<Self, BrokerError> {
        let addr = local_addr(&listener, config.listen)?;
        let inner = match config.advertise {
            // The advertised address may lead here from elsewhere only.
            Some(_) => Some(Self::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?),
            None => None,
        };
        let inner_addr = match &inner {
            Some(inner) => local_addr(inner, addr)?,
            None => addr,
        };
        limits::raise_open_files();
        let data_dir = DataDir::open(&config.data_dir)?;
        let store_path = data_dir.path().join("meta.redb");
        let store_failed = |source| BrokerError::store(&store_path, source);
        let store = Arc::new(Store::open(&store_path).map_err(store_failed)?);
        let smart_modules = Registry::new();
        smart_modules.put(
            store
                .specs::<SmartModuleSpec>(Specs::SmartModules, "SmartModule")
                .map_err(store_failed)?
                .into_iter()
                .map(|(name, spec)| Metadata {
                    name,
                    spec,
                    status: SmartModuleStatus,
                }),
        );
        let table_formats = Registry::new();
        table_formats.put(
            store
                .specs::<TableFormatSpec>(Specs::TableFormats, "table format")
                .map_err(store_failed)?
                .into_iter()
                .map(|(name, spec)| Metadata {
                    name,
                    spec,
                    status: TableFormatStatus::default(),
                }),
        );
        meters::describe();
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            topics: Topics::open(
                data_dir.path().join("logs"),
                store.clone(),
                &config.retention,
            )
            .await?,
            consumers: Consumers::open(store.clone()).map_err(store_failed)?,
            smart_modules,
            table_formats,
            engine: Engine::new(),
            chain_times: ChainTimes::default(),
            store,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            config,
            _data_dir: data_dir,
        });
        let advertise = shared.config.advertise.clone();
        for (listener, advertise) in [(Some(listener), advertise), (inner, None)] {
            if let Some(listener) = listener {
                let accept = connection::accept(listener, shared.clone(), advertise);
                shared.tasks.spawn(accept);
            }
        }
        shared.tasks.spawn(maintain(shared.clone()));
        tracing::info!(%addr, data_dir = %shared.config.data_dir.display(), "broker started");
        Ok(Self {
            addr,
            inner_addr,
            shared,
            _stops: stop.drop_guard(),
        })
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address for clients on this machine, which are never sent to the advertised one.
    pub fn inner_addr(&self) -> SocketAddr {
        self.inner_addr
    }

    /// How long its SmartModules work on a record, now and as long as it runs.
    pub fn chain_times(&self) -> ChainTimes {
        self.shared.chain_times.clone()
    }

    /// Ends every connection, syncs the log and gives the data directory free.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(self.close())
    }

    async fn close(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        sync(&self.shared).await;
        tracing::info!("broker stopped");
    }
}

fn local_addr(listener: &TcpListener, addr: SocketAddr) -> Result<SocketAddr, BrokerError> {
    let local = listener.local_addr();
    local.map_err(|source| BrokerError::Listen { addr, source })
}

/// Syncs and evicts until the broker stops.
async fn maintain(broker: Arc<Shared>) {
    let mut sync_timer = tokio::time::interval(broker.config.sync_interval);
    let mut evict_timer = tokio::time::interval(broker.config.evict_interval);
    sync_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    evict_timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = broker.stop.cancelled() => return,
            _ = sync_timer.tick() => sync(&broker).await,
            _ = evict_timer.tick() => evict(&broker).await,
        }
    }
}

async fn sync(broker: &Arc<Shared>) {
    for_each_partition(broker, "sync", |partition| partition.sync()).await;
}

async fn evict(broker: &Arc<Shared>) {
    let now = SystemTime::now();
    for_each_partition(broker, "evict segments of", move |partition| {
        partition.evict(now).map(drop)
    })
    .await;
}

async fn for_each_partition(
    broker: &Arc<Shared>,
    what: &'static str,
    work: impl Fn(&log::Partition) -> std::io::Result<()> + Send + 'static,
) {
    let topics = broker.topics.all();
    let done = tokio::task::spawn_blocking(move || {
        for partition in topics.iter().flat_map(|topic| topic.partitions()) {
            if let Err(error) = work(partition) {
                tracing::error!(
                    "cannot {what} the log {}: {error}",
                    partition.dir().display()
                );
            }
        }
    });
    if let Err(error) = done.await {
        tracing::error!("cannot {what} the logs: {error}");
    }
}
