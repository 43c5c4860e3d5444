//! Calls to an MLflow server.
//!
//! Always true: credentials go to the configured server only, redirects are not followed, and no error contains credentials.
//! Transient failures are retried for some seconds; a request that the server understood and refused is not.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, Response, redirect};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::failure::{Failure, FailureKind};
use super::wire::ErrorReply;
use crate::tracking::error::TrackingError;
use crate::tracking::settings::{MlflowServer, SignIn};
use crate::tracking::tls::{CLIENT_CERT, SERVER_CERT};

/// Retries of a call, with pauses that double from the shortest: long enough for a restart of the server.
const RETRIES_MAX: usize = 5;
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest Retry-After that is respected.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest message of a server that is passed on.
const MESSAGE_CHARS_MAX: usize = 300;

const WORKSPACE: &str = "x-mlflow-workspace";
const API: &str = "api/2.0/mlflow";
const ARTIFACTS: &str = "api/2.0/mlflow-artifacts/artifacts";

#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    server: MlflowServer,
}

impl Http {
    pub(super) fn new(server: &MlflowServer) -> Result<Self, TrackingError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("coinlake/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT);
        if server.is_loopback() {
            builder = builder.no_proxy();
        }
        let client =
            server
                .tls
                .secure(builder)
                .build()
                .map_err(|error| TrackingError::Foreign {
                    server: server.to_string(),
                    what: "open a connection".to_owned(),
                    reason: error.to_string(),
                })?;
        Ok(Self {
            client,
            server: server.clone(),
        })
    }

    pub(super) fn server(&self) -> String {
        self.server.to_string()
    }

    /// GET, with retries.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.retrying(|_again| self.get_once(what, path, query))
            .await
    }

    /// GET, once.
    pub(super) async fn get_once<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let mut url = self.url(&format!("{API}/{path}"));
        url.query_pairs_mut().extend_pairs(query);
        let reply = self.call(what, Method::GET, url, None).await?;
        self.parse(what, &reply)
    }

    /// POST, with retries: only for requests that may be repeated.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.retrying(|_again| self.post_once(what, path, body))
            .await
    }

    /// POST, once.
    pub(super) async fn post_once<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let reply = self.send(what, Method::POST, path, body).await?;
        self.parse(what, &reply)
    }

    /// PATCH, with retries.
    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let reply = self
            .retrying(|_again| self.send(what, Method::PATCH, path, body))
            .await?;
        self.parse(what, &reply)
    }

    /// Uploads a file. `name` is its path below the server's artifact root.
    pub(super) async fn put_file(
        &self,
        what: &str,
        name: &str,
        contents: Bytes,
    ) -> Result<(), Failure> {
        let url = self.artifact_url(name);
        let body = &Body {
            kind: "application/octet-stream",
            contents,
        };
        self.retrying(|_again| self.call(what, Method::PUT, url.clone(), Some(body)))
            .await?;
        Ok(())
    }

    /// Downloads a file.
    pub(super) async fn get_file(&self, what: &str, name: &str) -> Result<Bytes, Failure> {
        let url = self.artifact_url(name);
        self.retrying(|_again| self.call(what, Method::GET, url.clone(), None))
            .await
    }

    /// Repeats an attempt until it succeeds, fails permanently, or has failed too often. The attempt gets `false` the first
    /// time and `true` after that: then the server may have done it already, and only its reply was lost.
    pub(super) async fn retrying<T, Fut>(
        &self,
        mut attempt: impl FnMut(bool) -> Fut,
    ) -> Result<T, Failure>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        let pauses = ExponentialBuilder::new()
            .with_min_delay(PAUSE_MIN)
            .with_max_delay(PAUSE_MAX)
            .with_max_times(RETRIES_MAX)
            .with_jitter();
        let mut again = false;
        let attempt = || {
            let attempt = attempt(again);
            again = true;
            attempt
        };
        attempt
            .retry(pauses)
            .when(Failure::is_transient)
            .adjust(|failure, pause| {
                let asked = failure.retry_after().map(|wait| wait.min(RETRY_AFTER_MAX));
                pause.map(|pause| asked.unwrap_or(pause))
            })
            .notify(|failure, pause| {
                tracing::warn!("{}; retrying in {} ms", failure.reason(), pause.as_millis());
            })
            .await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.server.url.clone();
        url.path_segments_mut()
            .expect("an http address has a path")
            .pop_if_empty()
            .extend(path.split('/'));
        url
    }

    fn artifact_url(&self, name: &str) -> Url {
        self.url(&format!("{ARTIFACTS}/{name}"))
    }

    async fn send(
        &self,
        what: &str,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Bytes, Failure> {
        let contents = serde_json::to_vec(body)
            .map_err(|error| self.failure(what, FailureKind::Foreign(error.to_string())))?;
        let body = Body {
            kind: "application/json",
            contents: contents.into(),
        };
        let url = self.url(&format!("{API}/{path}"));
        self.call(what, method, url, Some(&body)).await
    }

    async fn call(
        &self,
        what: &str,
        method: Method,
        url: Url,
        body: Option<&Body>,
    ) -> Result<Bytes, Failure> {
        let mut request = self.client.request(method, url);
        request = match &self.server.sign_in {
            Some(SignIn::Password { username, password }) => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            Some(SignIn::Token(token)) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        if let Some(workspace) = &self.server.workspace {
            request = request.header(WORKSPACE, workspace);
        }
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, body.kind)
                .body(body.contents.clone());
        }
        let broken = |error| self.failure(what, FailureKind::Unreachable(innermost(&error)));
        let reply = request.send().await.map_err(broken)?;
        let status = reply.status();
        if status.is_redirection() {
            return Err(self.failure(what, FailureKind::Foreign(redirected(&reply))));
        }
        let retry_after = retry_after(reply.headers());
        let body = reply.bytes().await;
        if status.is_success() {
            return body.map_err(broken);
        }
        // The status is enough: a body that cannot be read only costs the message.
        let body = body.unwrap_or_default();
        let said: ErrorReply = serde_json::from_slice(&body).unwrap_or_default();
        Err(self.failure(
            what,
            FailureKind::Status {
                status: status.as_u16(),
                code: said.error_code,
                message: said.message.chars().take(MESSAGE_CHARS_MAX).collect(),
                retry_after,
            },
        ))
    }

    fn parse<T: DeserializeOwned>(&self, what: &str, reply: &Bytes) -> Result<T, Failure> {
        serde_json::from_slice(reply).map_err(|error| {
            let reason = format!("its reply is not the expected JSON: {error}");
            self.failure(what, FailureKind::Foreign(reason))
        })
    }

    fn failure(&self, what: &str, kind: FailureKind) -> Failure {
        Failure {
            server: self.server(),
            what: what.to_owned(),
            kind,
        }
    }
}

struct Body {
    kind: &'static str,
    contents: Bytes,
}

fn redirected(reply: &Response) -> String {
    let target = reply.headers().get(header::LOCATION);
    let target = target.and_then(|target| target.to_str().ok());
    let target = target.and_then(|target| reply.url().join(target).ok());
    match target.as_ref().and_then(Url::host_str) {
        Some(host) => {
            let scheme = target.as_ref().map_or("", Url::scheme);
            format!("it redirects to {scheme}://{host}")
        }
        None => format!("it redirects elsewhere ({})", reply.status().as_u16()),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

/// The innermost cause: the errors around it only repeat the address.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no complete reply within {} s", CALL_TIMEOUT.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let cause = cause.to_string();
    if cause.contains("invalid peer certificate") {
        return format!("{cause} ({SERVER_CERT} can name the authority to trust)");
    }
    if cause.contains("CertificateRequired") {
        return format!("{cause} ({CLIENT_CERT} can name yours)");
    }
    cause
}
