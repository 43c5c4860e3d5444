//! What all connections share.

use std::sync::Arc;

use fluvio_sc_schema::smartmodule::SmartModuleSpec;
use fluvio_sc_schema::tableformat::TableFormatSpec;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chain_times::ChainTimes;
use crate::config::BrokerConfig;
use crate::data_dir::DataDir;
use crate::metadata::{Consumers, Registry, Store, Topics};
use crate::smart::Engine;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub config: BrokerConfig,
    pub topics: Topics,
    pub smart_modules: Registry<SmartModuleSpec>,
    pub table_formats: Registry<TableFormatSpec>,
    pub consumers: Consumers,
    pub engine: Engine,
    pub chain_times: ChainTimes,
    pub store: Arc<Store>,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    /// Dropped last: the directory is free when nothing writes to it any more.
    pub _data_dir: DataDir,
}
