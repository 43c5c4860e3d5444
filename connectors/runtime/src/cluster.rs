//! One fresh connection to a Fluvio cluster.

use std::ops::Deref;

use fluvio::{Fluvio, FluvioClusterConfig};

/// Where a cluster is. Cheap to clone; holds no connection.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: String,
    config: FluvioClusterConfig,
}

impl Cluster {
    /// The cluster whose SC listens on `addr` (`host:port`), without TLS.
    pub fn at(addr: impl ToString) -> Self {
        let addr = addr.to_string();
        Self {
            name: addr.clone(),
            config: FluvioClusterConfig::new(addr),
        }
    }

    /// The cluster of a fluvio profile; `None` is the current one.
    pub fn from_profile(_name: Option<&str>) -> Result<Self, ClusterError> {
        todo!()
    }

    /// A new connection. A client does not survive a restart of the broker: connect again.
    pub async fn connect(&self) -> Result<Client, ClusterError> {
        todo!()
    }
}

/// A connected client; dereferences to [`Fluvio`].
pub struct Client {
    fluvio: Fluvio,
    cluster: Cluster,
}

impl Client {
    /// The cluster it is connected to.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Deref for Client {
    type Target = Fluvio;

    fn deref(&self) -> &Fluvio {
        &self.fluvio
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nobody answers.
    #[error("placeholder")]
    Unreachable,
}

impl ClusterError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        true
    }
}
