//! The one-machine broker: one process that speaks Fluvio's own protocol on one port.
//!
//! The `fluvio` client crate, connectors and the `fluvio` command line use it exactly as they use a cluster: its SC (topics,
//! SmartModules, table formats) and its one SPU (records, streams, SmartModule chains, consumer offsets) share the port. It
//! is the default for one machine and not a cluster: nothing is replicated, nobody is authenticated, and it listens on
//! loopback unless told otherwise.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = broker::Broker::start(broker::BrokerConfig::new("data/broker")).await?;
//! println!("fluvio profile add coinlake {} docker", broker.addr());
//! broker.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! **What survives what.** An acknowledged record survives the death of the process at any instant (`kill -9`): it was
//! written to the file before the acknowledgement. It survives the death of the machine (power, kernel) once it was
//! synced, which happens at the latest [`BrokerConfig::sync_interval`] after it was written, when a segment is full, and
//! when the broker stops. Topics, SmartModules, table formats and consumer offsets are synced before they are
//! acknowledged. A last write that was cut short is found by its checksum and cut off when the log is opened.
//!
//! **In a data directory** there are `FORMAT` (the version of all this), `LOCK` (held while a broker runs), `meta.redb`
//! (topics, SmartModules, table formats, consumer offsets) and `logs/<topic>.<id>/<partition>/<first offset>.log`.
//!
//! **Kinder than an SPU.** Reads are never cut in the middle of a batch, a SmartModule's reader never skips a record, a
//! stream that opens in the middle of a batch processes it from there, a produce request is written whole or not at all.
//! [`Faults`] turns the unkindness on for tests.

mod api;
mod chain_times;
mod consumers;
mod data_dir;
mod faults;
mod log;
mod metadata;
mod meters;
mod processor;
mod produce;
mod server;
mod smart;
mod store;
mod stream_fetch;
mod wire;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::smartmodule::{SmartModuleSpec, SmartModuleStatus};
use fluvio_sc_schema::tableformat::{TableFormatSpec, TableFormatStatus};
use fluvio_smartengine::SmartEngine;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::consumers::Consumers;
use crate::data_dir::DataDir;
use crate::metadata::{Registry, Topics};
use crate::store::{Specs, Store, StoreError};

pub use crate::chain_times::{ChainTime, ChainTimes};
pub use crate::faults::Faults;

/// Where a [`Broker`] listens and keeps its data.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The address to listen on; port 0 takes any free one. Whoever can connect can do everything.
    pub listen: SocketAddr,
    /// The folder that holds everything the broker must remember. One broker at a time uses it.
    pub data_dir: PathBuf,
    /// Host and port clients are told to connect to. By default the address a client has reached the broker by, which is
    /// right unless something between them translates addresses.
    pub advertise: Option<(String, u16)>,
    /// A request of more bytes ends its connection.
    pub frame_bytes_max: usize,
    /// How long an acknowledged record can be lost to a power cut.
    pub sync_interval: Duration,
    /// How often segments that are too old or too much are looked for.
    pub evict_interval: Duration,
    /// Misbehaviour for tests.
    pub faults: Faults,
}

impl BrokerConfig {
    /// A broker on any free loopback port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
            advertise: None,
            frame_bytes_max: 64 * 1024 * 1024,
            sync_interval: Duration::from_secs(1),
            evict_interval: Duration::from_secs(10),
            faults: Faults::default(),
        }
    }
}

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another process listens there.
    #[error("{addr} is in use; stop what listens there, or choose another address")]
    AddrInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another broker has the data directory.
    #[error("another broker is using {path}; stop it, or choose another data directory")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory was written by another version.
    #[error(
        "{path} holds data of another version ('{found}', this one writes '{expected}'); use that version, or choose another data directory"
    )]
    Format {
        /// The data directory.
        path: PathBuf,
        /// What its marker says.
        found: String,
        /// What this version writes.
        expected: &'static str,
    },
    /// The data directory cannot be used.
    #[error("cannot use {path} as data directory: {source}")]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A log cannot be opened.
    #[error("cannot open the log in {path}: {source}")]
    Log {
        /// The log's directory.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// The metadata cannot be read.
    #[error("{0}")]
    Store(String),
}

impl BrokerError {
    fn log(path: &Path, source: std::io::Error) -> Self {
        Self::Log {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<StoreError> for BrokerError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    config: BrokerConfig,
    topics: Topics,
    smart_modules: Registry<SmartModuleSpec>,
    table_formats: Registry<TableFormatSpec>,
    consumers: Consumers,
    engine: SmartEngine,
    chain_times: ChainTimes,
    store: Arc<Store>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Dropped last: the directory is free when nothing writes to it any more.
    _data_dir: DataDir,
}

/// A running broker. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _stops: tokio_util::sync::DropGuard,
}

impl Broker {
    /// Opens the data directory and starts to serve, in tasks of the tokio runtime it is called in.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the data directory cannot be used: each error says what to do.
    pub fn start(config: BrokerConfig) -> BoxFuture<'static, Result<Self, BrokerError>> {
        Box::pin(Self::open(config))
    }

    async fn open(config: BrokerConfig) -> Result<Self, BrokerError> {
        let addr = config.listen;
        let listener = TcpListener::bind(addr)
            .await
            .map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => BrokerError::AddrInUse { addr },
                _ => BrokerError::Listen { addr, source },
            })?;
        let addr = listener
            .local_addr()
            .map_err(|source| BrokerError::Listen { addr, source })?;

        let data_dir = DataDir::open(&config.data_dir)?;
        let store = Arc::new(Store::open(&data_dir.path().join("meta.redb"))?);
        let smart_modules = Registry::new();
        smart_modules.put(
            store
                .specs::<SmartModuleSpec>(Specs::SmartModules, "SmartModule")?
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
                .specs::<TableFormatSpec>(Specs::TableFormats, "table format")?
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
            topics: Topics::open(data_dir.path().join("logs"), store.clone()).await?,
            consumers: Consumers::open(store.clone())?,
            smart_modules,
            table_formats,
            engine: SmartEngine::new(),
            chain_times: ChainTimes::default(),
            store,
            stop: stop.clone(),
            tasks: TaskTracker::new(),
            config,
            _data_dir: data_dir,
        });
        shared.tasks.spawn(server::accept(listener, shared.clone()));
        shared.tasks.spawn(maintain(shared.clone()));
        tracing::info!(%addr, data_dir = %shared.config.data_dir.display(), "broker started");
        Ok(Self {
            addr,
            shared,
            _stops: stop.drop_guard(),
        })
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
                tracing::error!("cannot {what} a log: {error}");
            }
        }
    });
    if let Err(error) = done.await {
        tracing::error!("cannot {what} the logs: {error}");
    }
}
