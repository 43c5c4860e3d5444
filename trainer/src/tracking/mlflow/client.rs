//! The connection to a server. Its requests are in `experiments`, `runs` and `registry`.

use super::http::Http;
use crate::tracking::error::TrackingError;
use crate::tracking::settings::MlflowServer;

/// A server and the connection to it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) server: MlflowServer,
    pub(super) http: Http,
}

impl Client {
    pub(super) fn new(server: &MlflowServer) -> Result<Self, TrackingError> {
        Ok(Self {
            server: server.clone(),
            http: Http::new(server)?,
        })
    }

    /// The server, for messages.
    pub(super) fn place(&self) -> String {
        format!("the MLflow server at {}", self.http.server())
    }
}
