//! The API server, as a pod sees it: its StatefulSet's number of pods, and Leases.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Certificate, Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::lease::Lease;

/// Where Kubernetes puts what a pod needs to speak to it.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The group and version of Leases.
const LEASES: &str = "coordination.k8s.io/v1";
const TIMEOUT: Duration = Duration::from_secs(5);

/// A pod of a StatefulSet.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Such as `stage-raw-2`.
    name: String,
    statefulset: String,
    index: u32,
    client: Client,
    /// The namespace's objects, without a group: `https://…/apis/%/namespaces/coinlake`.
    url: String,
    /// Kubernetes replaces the token before it expires, so it is read for every request.
    token: PathBuf,
}

/// Why the API server did not do as asked. Every reason may pass.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// There was no reply, or none that can be read.
    #[error("the Kubernetes API does not answer: {0:#}")]
    Silent(anyhow::Error),
    /// It says no.
    #[error("the Kubernetes API refuses {what} ({status}): {message}")]
    Refused {
        /// The request.
        what: String,
        /// Its status.
        status: StatusCode,
        /// The reason.
        message: String,
    },
}

#[derive(Deserialize)]
struct Scale {
    spec: ScaleSpec,
}

#[derive(Deserialize)]
struct ScaleSpec {
    /// Not written when it is 0.
    #[serde(default)]
    replicas: u32,
}

impl Pod {
    /// The pod that this process runs in.
    ///
    /// # Errors
    /// It does not run in a pod, or that pod has no token.
    pub fn here(name: &str) -> anyhow::Result<Self> {
        let variable = |name: &str| {
            env::var(name).with_context(|| {
                format!("{name} is not set: --pod is for a pod of a StatefulSet on Kubernetes; elsewhere use --share")
            })
        };
        let (host, port) = (
            variable("KUBERNETES_SERVICE_HOST")?,
            variable("KUBERNETES_SERVICE_PORT")?,
        );
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        Self::at(&format!("https://{host}:{port}"), Path::new(FOLDER), name)
    }

    /// A pod that finds the API server here, and token, authority and namespace in this folder.
    ///
    /// # Errors
    /// As [`Self::here`].
    pub fn at(server: &str, folder: &Path, name: &str) -> anyhow::Result<Self> {
        let numbered = name.rsplit_once('-');
        let (statefulset, index) = numbered
            .and_then(|(set, index)| Some((set.to_owned(), index.parse().ok()?)))
            .with_context(|| format!("{name} is no pod of a StatefulSet, such as stage-raw-2"))?;
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).with_context(|| {
                format!(
                    "cannot read {}: the pod needs the token of its service account",
                    path.display()
                )
            })
        };
        let namespace = read("namespace")?;
        let authorities = Certificate::from_pem_bundle(read("ca.crt")?.as_bytes())?;
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .tls_certs_only(authorities)
            .build()?;
        Ok(Self {
            name: name.to_owned(),
            statefulset,
            index,
            client,
            url: format!("{server}/apis/%/namespaces/{}", namespace.trim()),
            token: folder.join("token"),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The StatefulSet that it belongs to.
    pub fn statefulset(&self) -> &str {
        &self.statefulset
    }

    /// Its number there, counted from 0.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How many pods its StatefulSet should have now.
    ///
    /// # Errors
    /// The API server is silent or refuses.
    pub async fn count(&self) -> Result<u32, ApiError> {
        let path = format!("statefulsets/{}/scale", self.statefulset);
        let scale = self.ask(Method::GET, "apps/v1", &path, None).await?;
        let scale: Scale = self.read(&path, scale)?;
        Ok(scale.spec.replicas)
    }

    /// A Lease, if there is one of this name.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>, ApiError> {
        let path = format!("leases/{name}");
        match self.ask(Method::GET, LEASES, &path, None).await {
            Ok(found) => self.read(&path, found).map(Some),
            Err(ApiError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a Lease; `None` if another was faster.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn create(&self, lease: &Lease) -> Result<Option<Lease>, ApiError> {
        self.write(Method::POST, "leases", lease).await
    }

    /// Replaces a Lease; `None` if it has changed since it was read.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn replace(&self, lease: &Lease) -> Result<Option<Lease>, ApiError> {
        self.write(Method::PUT, &format!("leases/{}", lease.name()), lease)
            .await
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        lease: &Lease,
    ) -> Result<Option<Lease>, ApiError> {
        match self.ask(method, LEASES, path, Some(lease)).await {
            Ok(written) => self.read(path, written).map(Some),
            Err(ApiError::Refused { status, .. })
                if [StatusCode::CONFLICT, StatusCode::NOT_FOUND].contains(&status) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &self,
        method: Method,
        group: &str,
        path: &str,
        body: Option<&Lease>,
    ) -> Result<Value, ApiError> {
        let what = format!("{method} {path}");
        let url = format!("{}/{path}", self.url.replacen('%', group, 1));
        let reply = async {
            let token = tokio::fs::read_to_string(&self.token).await?;
            let mut request = self.client.request(method, url).bearer_auth(token.trim());
            if let Some(lease) = body {
                let json = serde_json::to_vec(lease)?;
                request = request
                    .header("content-type", "application/json")
                    .body(json);
            }
            let reply = request.send().await?;
            anyhow::Ok((reply.status(), reply.bytes().await?))
        };
        let (status, body) = reply.await.map_err(ApiError::Silent)?;
        let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(said);
        }
        let message = said["message"].as_str().unwrap_or_default().to_owned();
        Err(ApiError::Refused {
            what,
            status,
            message,
        })
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, what: &str, said: Value) -> Result<T, ApiError> {
        serde_json::from_value(said)
            .with_context(|| format!("{what} is not as expected"))
            .map_err(ApiError::Silent)
    }
}
