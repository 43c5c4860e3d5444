//! One call of `/coins/markets`: the request, and the reply read to its end or to a limit.
//!
//! Always true: a call ends within the timeout; no more than `body_bytes_max` of a reply is held; the key goes in a
//! header to the configured host and nowhere else, redirects to other hosts included.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use secrecy::ExposeSecret;
use url::Url;

use super::pages::Validators;
use crate::budget::plan::KeyPlan;
use crate::config::Polling;
use crate::reply::{Head, Next, Trouble, Verdict, explain, judge};
use crate::status::{ErrorKind, SourceStatus};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Redirects on the same host that are followed in one call.
const REDIRECTS_MAX: usize = 3;
/// With a poll interval of zero: how long a server may hold a request until there is something new (RFC 7240), if it can.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a connection may take to come about. It is given up before the call is: what never left costs none of the month's.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How much of the body of a failed reply is read for its message.
const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// Makes calls over kept-alive connections.
pub(crate) struct CoinGecko {
    http: reqwest::Client,
    key: Option<KeyPlan>,
    body_bytes_max: usize,
    timeout_secs: f64,
    connect_timeout_secs: f64,
    status: Arc<SourceStatus>,
}

/// A reply that is no trouble.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A page, and how to ask whether it has changed.
    Page(Bytes, Validators),
    /// The page is what it was.
    Unchanged,
}

impl CoinGecko {
    pub(super) fn new(
        polling: &Polling,
        status: Arc<SourceStatus>,
    ) -> Result<Self, reqwest::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((plan, key)) = &polling.key {
            let mut key = HeaderValue::from_str(key.expose_secret())
                .expect("the key's characters were checked with the settings");
            key.set_sensitive(true);
            headers.insert(plan.header(), key);
        }
        if polling.poll_interval == Some(Duration::ZERO) {
            let wait = WAIT_MAX.min(polling.timeout / 2).as_secs();
            let wait = HeaderValue::from_str(&format!("wait={wait}"));
            headers.insert(PREFER, wait.expect("a number is a header's value"));
        }
        let connect_timeout = CONNECT_MAX.min(polling.timeout / 2);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("coinlake/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::custom(on_same_host))
            .tcp_nodelay(true)
            .connect_timeout(connect_timeout)
            .timeout(polling.timeout);
        if polling.loopback {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            key: polling.key.as_ref().map(|(plan, _)| *plan),
            body_bytes_max: polling.body_bytes_max,
            timeout_secs: polling.timeout.as_secs_f64(),
            connect_timeout_secs: connect_timeout.as_secs_f64(),
            status,
        })
    }

    /// Asks for a page, or only for what is newer than the validators say.
    pub(super) async fn call(
        &self,
        page: &Url,
        known: Option<&Validators>,
    ) -> Result<Reply, Trouble> {
        let mut request = self.http.get(page.clone());
        if let Some(known) = known {
            if let Some(etag) = &known.etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            if let Some(date) = &known.last_modified {
                request = request.header(header::IF_MODIFIED_SINCE, date);
            }
        }
        let mut reply = request.send().await.map_err(|error| self.broken(error))?;
        let headers = std::mem::take(reply.headers_mut());
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let head = Head {
            status: reply.status().as_u16(),
            content_type: text(header::CONTENT_TYPE),
            retry_after: text(header::RETRY_AFTER),
            location: text(header::LOCATION),
        };
        let now = self.status.clock().now();
        if let Some(date) = text(header::DATE) {
            self.status.server_date(now, date, text(header::AGE));
        }
        match judge(&head, now) {
            Verdict::Unchanged => Ok(Reply::Unchanged),
            Verdict::Coins => {
                let (body, whole) = self.read(&mut reply, self.body_bytes_max).await?;
                if !whole {
                    return Err(Trouble {
                        kind: ErrorKind::TooLarge,
                        what: format!(
                            "the reply has more than {} bytes: raise coingecko.body_bytes_max if that is right",
                            self.body_bytes_max
                        ),
                        next: Next::Skip,
                    });
                }
                let validators = Validators {
                    etag: headers.get(header::ETAG).cloned(),
                    last_modified: headers.get(header::LAST_MODIFIED).cloned(),
                };
                Ok(Reply::Page(body, validators))
            }
            Verdict::Failed { kind, next } => {
                // The message is a courtesy: a body that breaks takes nothing away from the status.
                let body = self.read(&mut reply, MESSAGE_BYTES_MAX).await;
                let body = body.map(|(body, _)| body).unwrap_or_default();
                Err(explain(&head, kind, next, &body, self.key))
            }
        }
    }

    /// The body up to a limit, and whether that was all of it.
    async fn read(
        &self,
        reply: &mut reqwest::Response,
        bytes_max: usize,
    ) -> Result<(Bytes, bool), Trouble> {
        let mut body = BytesMut::new();
        while let Some(chunk) = reply.chunk().await.map_err(|error| self.broken(error))? {
            if body.is_empty() && reply.content_length() == Some(chunk.len() as u64) {
                // It came in one piece, as most do: nothing to copy.
                return Ok((
                    chunk.slice(..chunk.len().min(bytes_max)),
                    chunk.len() <= bytes_max,
                ));
            }
            let room = bytes_max - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return Ok((body.freeze(), false));
            }
        }
        Ok((body.freeze(), true))
    }

    fn broken(&self, error: reqwest::Error) -> Trouble {
        let (stage, next) = match error.is_connect() {
            true => ("no connection", Next::Reconnect),
            false => ("the connection broke", Next::Retry),
        };
        if error.is_timeout() {
            let what = match next {
                Next::Reconnect => format!("no connection within {} s", self.connect_timeout_secs),
                _ => format!("no complete reply within {} s", self.timeout_secs),
            };
            return Trouble {
                kind: ErrorKind::Timeout,
                what,
                next,
            };
        }
        Trouble {
            kind: ErrorKind::Connection,
            // The innermost cause says most; the URL around it says nothing new.
            what: format!("{stage}: {}", anyhow::Error::new(error).root_cause()),
            next,
        }
    }
}

/// Where another host is meant, the reply is taken as it is: a key must not travel there.
fn on_same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let origin = |url: &Url| {
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            url.port_or_known_default(),
        )
    };
    let same = attempt
        .previous()
        .first()
        .is_some_and(|first| origin(first) == origin(attempt.url()));
    if same && attempt.previous().len() <= REDIRECTS_MAX {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
