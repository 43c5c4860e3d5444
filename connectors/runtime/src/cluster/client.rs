//! One fresh connection to a Fluvio cluster.
//!
//! A client does not survive a restart of the broker, so callers keep a [`Cluster`], which is only an address, and
//! connect again when a reader or writer reports that the connection is gone.

use std::ops::Deref;
use std::time::Duration;

use fluvio::config::{ConfigFile, TlsPolicy};
use fluvio::{Fluvio, FluvioClusterConfig};
use futures_util::future::BoxFuture;

use crate::cluster::tls;

/// How long connecting may take, look-ups included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// By this name a cluster counts connector traffic apart from other clients'.
pub(crate) const CLIENT_ID: &str = "fluvio_connector";

/// Where a cluster is. Cheap to clone; holds no connection.
#[derive(Clone)]
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
            config: with_client_id(FluvioClusterConfig::new(addr)),
        }
    }

    /// The cluster of a fluvio profile; `None` is the current one. The file is the client's own: `FLV_PROFILE_PATH`, else
    /// `~/.fluvio/config`.
    pub fn from_profile(name: Option<&str>) -> Result<Self, ClusterError> {
        let file = ConfigFile::load(None).map_err(|err| ClusterError::Profile {
            reason: format!("the profile file cannot be read: {err}"),
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
        })
    }

    /// A new connection. A client does not survive a restart of the broker: connect again.
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
            Ok(Err(err)) => Err(match tls::certificate_problem(err.as_ref()) {
                Some(problem) => refused(problem),
                None => ClusterError::Unreachable {
                    cluster: self.name.clone(),
                    reason: format!("{err:#}"),
                },
            }),
            Err(_) => Err(ClusterError::Unreachable {
                cluster: self.name.clone(),
                reason: format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()),
            }),
        }
    }

    /// Address, and profile where there is one; for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn fluvio_config(&self) -> &FluvioClusterConfig {
        &self.config
    }
}

/// Never the TLS key that a profile may hold.
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

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nobody answers, or not as a Fluvio cluster does.
    #[error(
        "no Fluvio cluster at {cluster}: {reason}; is it running, and is the address or profile the right one?"
    )]
    Unreachable {
        /// Address, and profile where there is one.
        cluster: String,
        /// What happened.
        reason: String,
    },
    /// One of the two does not accept the other's certificate.
    #[error("no TLS connection to the Fluvio cluster at {cluster}: {problem}")]
    Certificate {
        /// Address, and profile where there is one.
        cluster: String,
        /// Whose, what is wrong with it, and the remedy.
        problem: String,
    },
    /// The profile does not say where the cluster is.
    #[error(
        "{reason}; `fluvio profile list` shows the profiles, `fluvio cluster start` or `fluvio profile add` makes one, \
         and --cluster HOST:PORT goes without"
    )]
    Profile {
        /// What is wrong with it.
        reason: String,
    },
}

impl ClusterError {
    /// Whether trying again later can help. A renewed certificate is read by the next attempt.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Certificate { .. })
    }
}
