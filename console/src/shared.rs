//! What every request can use.

use std::sync::{Arc, OnceLock};

use connector_runtime::cluster::Cluster;
use parking_lot::Mutex;
use survey::Tables;
use tokio::sync::watch::Sender;
use tokio_util::sync::CancellationToken;

use crate::desk::AlertDesk;
use crate::history::rules::FiringReader;
use crate::models::Models;
use crate::state::{Alerts, Market, Rejects};
use crate::watch::{self, Flow};

pub(crate) struct Shared {
    /// Where the data comes from.
    pub origin: watch::Market,
    /// What prices are in, once known.
    pub currency: OnceLock<String>,
    pub cluster: Cluster,
    pub tables: Tables,
    /// The layers that the platform's stages write.
    pub layers: Vec<String>,
    /// When the user's rules last fired.
    pub firings: FiringReader,
    /// `None` when the console has no model registry.
    pub models: Option<Models>,
    pub flow: Sender<Flow>,
    /// `None` where nobody keeps what people do about alerts.
    pub desk: Option<Arc<dyn AlertDesk>>,
    /// Cancelled when the console stops; ends the streams of live updates.
    pub stop: CancellationToken,
    // Locked long enough to take records in or to copy some out, and never across an await.
    pub market: Mutex<Market>,
    pub alerts: Mutex<Alerts>,
    pub rejects: Mutex<Rejects>,
}
