//! What every request can use.

use connector_runtime::cluster::Cluster;
use lake::Lake;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::models::Models;
use crate::state::{Alerts, Market, Rejects};
use crate::watch::Flow;

pub(crate) struct Shared {
    pub cluster: Cluster,
    pub lake: Lake,
    /// The layers that the platform's stages write.
    pub layers: Vec<String>,
    /// `None` when the console has no model registry.
    pub models: Option<Models>,
    pub flow: watch::Sender<Flow>,
    /// Cancelled when the console stops; ends the streams of live updates.
    pub stop: CancellationToken,
    // Locked long enough to take records in or to copy some out, and never across an await.
    pub market: Mutex<Market>,
    pub alerts: Mutex<Alerts>,
    pub rejects: Mutex<Rejects>,
}
