//! The address of a Fluvio cluster, and a connection to it.
//!
//! A connection does not survive a restart of the broker. So callers keep a [`Cluster`], which is only an address, and connect
//! again when a reader or writer reports that the connection is gone.

use std::ops::Deref;
use std::time::Duration;

use fluvio::config::{ConfigFile, TlsPolicy};
use fluvio::{Fluvio, FluvioClusterConfig};
use futures_util::future::BoxFuture;

use super::tls;
use crate::clock::Clock;

/// How long connecting may take, including all look-ups.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the response to a small request may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Under this name a cluster counts the traffic of connectors separately.
pub(crate) const CLIENT_ID: &str = "fluvio_connector";

/// The address of a cluster, and the clock that whoever works on it goes by. Cheap to clone; holds no connection.
///
/// ```
/// use connector_runtime::cluster::Cluster;
///
/// let cluster = Cluster::at("127.0.0.1:9003");
/// assert_eq!(cluster.name(), "127.0.0.1:9003");
/// ```
#[derive(Clone)]
pub struct Cluster {
    name: String,
    config: FluvioClusterConfig,
    clock: Clock,
}

impl Cluster {
    /// The cluster whose SC listens on `addr` (`host:port`), without TLS.
    pub fn at(addr: impl ToString) -> Self {
        let addr = addr.to_string();
        Self {
            name: addr.clone(),
            config: with_client_id(FluvioClusterConfig::new(addr)),
            clock: Clock::default(),
        }
    }

    /// The cluster of a fluvio profile; `None` is the current profile. The profiles are in the file `FLV_PROFILE_PATH`, by
    /// default `~/.fluvio/config`.
    ///
    /// # Errors
    /// When the file cannot be read, or the profile names no cluster.
    pub fn from_profile(name: Option<&str>) -> Result<Self, ClusterError> {
        let file = ConfigFile::load(None).map_err(|error| ClusterError::Profile {
            reason: format!("the profile file cannot be read: {error}"),
        })?;
        let config = file.config();
        let (name, cluster) = match name {
            Some(name) => (name.to_owned(), config.cluster_with_profile(name)),
            None => {
                let Some(current) = config.current_profile_name() else {
                    return Err(ClusterError::Profile {
                        reason: "no profile is the current one".to_owned(),
                    });
                };
                (current.to_owned(), config.current_cluster().ok())
            }
        };
        let cluster = cluster.ok_or_else(|| ClusterError::Profile {
            reason: format!("profile {name} is not in the profile file, or names no cluster"),
        })?;
        Ok(Self {
            name: format!("{} (profile {name})", cluster.endpoint),
            config: with_client_id(cluster.clone()),
            clock: Clock::default(),
        })
    }

    /// The same cluster by another clock than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The time that records are stamped with, and that their age is judged by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Opens a new connection.
    ///
    /// # Errors
    /// When the cluster does not answer in time, or a certificate is not accepted.
    pub fn connect(&self) -> BoxFuture<'_, Result<Client, ClusterError>> {
        Box::pin(self.attempt())
    }

    async fn attempt(&self) -> Result<Client, ClusterError> {
        if self.config.tls != TlsPolicy::Disabled {
            tls::install_crypto_provider();
        }
        let refused = |problem| ClusterError::Certificate {
            cluster: self.name.clone(),
            problem,
        };
        if let Some(problem) = tls::unusable(&self.config.tls) {
            return Err(refused(problem));
        }
        let attempt = Fluvio::connect_with_config(&self.config);
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(fluvio)) => Ok(Client {
                fluvio,
                cluster: self.clone(),
            }),
            Ok(Err(error)) => Err(match tls::certificate_problem(error.as_ref()) {
                Some(problem) => refused(problem),
                None => ClusterError::Unreachable {
                    cluster: self.name.clone(),
                    reason: format!("{error:#}"),
                },
            }),
            Err(_) => Err(ClusterError::Unreachable {
                cluster: self.name.clone(),
                reason: format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()),
            }),
        }
    }

    /// The address, and the profile if one was used; for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn fluvio_config(&self) -> &FluvioClusterConfig {
        &self.config
    }
}

/// Without the TLS key that a profile may hold.
impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cluster").field(&self.name).finish()
    }
}

fn with_client_id(mut config: FluvioClusterConfig) -> FluvioClusterConfig {
    config.client_id = Some(CLIENT_ID.to_owned());
    config
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

/// Why connecting to a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No answer, or not that of a Fluvio cluster.
    #[error(
        "no Fluvio cluster at {cluster}: {reason}; is it running, and is this the right address or profile?"
    )]
    Unreachable {
        /// The address, and the profile if one was used.
        cluster: String,
        /// What happened.
        reason: String,
    },
    /// Client or cluster does not accept the other's certificate.
    #[error("no TLS connection to the Fluvio cluster at {cluster}: {problem}")]
    Certificate {
        /// The address, and the profile if one was used.
        cluster: String,
        /// Whose certificate, what is wrong with it, and the remedy.
        problem: String,
    },
    /// The profile does not say where the cluster is.
    #[error(
        "{reason}; list the profiles with `fluvio profile list`, create one with `fluvio cluster start` or `fluvio profile add`, \
         or connect without a profile: --cluster HOST:PORT"
    )]
    Profile {
        /// What is wrong with it.
        reason: String,
    },
}

impl ClusterError {
    /// Whether a later attempt can succeed. Each attempt reads the certificates again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Certificate { .. })
    }
}
