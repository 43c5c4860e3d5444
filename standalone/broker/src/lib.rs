//! The one-machine broker: one process that speaks Fluvio's protocol.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a [`Broker`] listens and keeps its data.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The folder that holds everything the broker must remember.
    pub data_dir: PathBuf,
}

impl BrokerConfig {
    /// A broker on any free loopback port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
        }
    }
}

/// Why a broker could not start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running broker.
pub struct Broker {
    addr: SocketAddr,
}

impl Broker {
    /// Opens the data directory and starts to serve.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        Ok(Self { addr: config.listen })
    }

    /// The address clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends every connection and closes the log.
    pub async fn stop(self) {}
}
