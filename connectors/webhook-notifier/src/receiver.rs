//! Who is told, and one attempt to deliver a message.
//!
//! Always true: the address and the key are secrets, and reach no log and no error; a redirect is not followed, as it
//! would take the message elsewhere; an attempt ends within [`TIMEOUT`].

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use connector_runtime::http::{is_loopback, retry_after};
use market::{Rules, Severity};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::format::{Destination, Format};
use crate::message::Message;
use crate::reply::{Reply, Verdict};
use crate::selection::Selection;
use crate::signature::SigningKey;
use crate::status::NotifyStatus;

/// How long an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a reply is read.
const REPLY_BYTES_MAX: usize = 4 << 10;
/// Shorter parts of an address are words such as `hooks`, and no secrets.
const SECRET_CHARS_MIN: usize = 6;

/// What a receiver needs.
#[derive(Debug, Clone)]
pub struct ReceiverSettings {
    /// Tells receivers of one platform apart; `None` for the only one, or the first. Lower-case letters, digits and `-`.
    pub name: Option<String>,
    /// The address.
    pub url: SecretString,
    /// Signs what is posted, as standardwebhooks.com describes.
    pub key: Option<SecretString>,
    /// The body's form.
    pub format: Format,
    /// The mildest severity to tell of.
    pub min_severity: Severity,
    /// A coin has one message in this time at most, unless it gets worse.
    pub cooldown: Duration,
    /// The user's rules: how often each is repeated.
    pub rules: Rules,
    /// Which of them, and of the built-in kinds, to tell of.
    pub selection: Selection,
}

/// Somebody who is told of alerts through a webhook.
pub struct Receiver {
    http: reqwest::Client,
    name: Option<String>,
    host: String,
    to: Destination,
    format: Format,
    key: Option<SigningKey>,
    /// What must not be quoted.
    secrets: Vec<String>,
    pub(crate) min_severity: Severity,
    pub(crate) cooldown: Duration,
    pub(crate) rules: Rules,
    pub(crate) selection: Selection,
    status: Arc<NotifyStatus>,
}

/// How an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Another attempt may work, not before this pause if the receiver asked for one.
    Passing {
        what: String,
        pause: Option<Duration>,
    },
    /// The receiver does not want it.
    Refused { what: String },
}

impl Receiver {
    /// A receiver, which is not asked anything yet.
    ///
    /// # Errors
    /// When the address is none, or lacks what the format needs, or the key cannot be used. The error says `address` or
    /// `key` and quotes neither.
    pub fn new(settings: ReceiverSettings) -> Result<Self> {
        // The parser's own words do not quote what it was given.
        let address = Url::parse(settings.url.expose_secret())
            .context("the address is not a URL")
            .and_then(|url| match (url.scheme(), url.host()) {
                ("http" | "https", Some(_)) => Ok(url),
                _ => {
                    anyhow::bail!("the address must begin with https:// or http:// and name a host")
                }
            })?;
        let secrets = secrets_of(&address);
        let http = client(&address)?;
        let host = address.host_str().unwrap_or_default().to_owned();
        let to = settings
            .format
            .destination(address)
            .context("the address is incomplete")?;
        let key = settings.key.as_ref().map(SigningKey::new).transpose();
        let key = key.context("the key cannot be used")?;
        Ok(Self {
            http,
            host,
            to,
            format: settings.format,
            key,
            secrets,
            min_severity: settings.min_severity,
            cooldown: settings.cooldown,
            rules: settings.rules,
            selection: settings.selection,
            status: Arc::new(NotifyStatus::new(settings.name.as_deref())),
            name: settings.name,
        })
    }

    /// The name of the part of a process that tells this receiver: `notify`, or `notify-NAME`.
    pub fn part(&self) -> String {
        match &self.name {
            Some(name) => format!("notify-{name}"),
            None => "notify".to_owned(),
        }
    }

    /// The receiver's host, which is no secret.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How telling it goes.
    pub fn status(&self) -> Arc<NotifyStatus> {
        Arc::clone(&self.status)
    }

    /// Sends a message that says it is a test; returns what came back.
    ///
    /// # Errors
    /// When the receiver did not take it, with what it says.
    pub async fn test(&self) -> Result<String> {
        let now = since_epoch();
        let message = Message::test(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        let body = self.body(&message)?;
        self.post(&message.id, body).await.map_err(|failure| {
            let (Failure::Passing { what, .. } | Failure::Refused { what }) = failure;
            anyhow::Error::msg(what)
        })
    }

    /// The body of a message.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn body(&self, message: &Message) -> Result<String> {
        self.to.body(self.format, message)
    }

    /// One attempt; returns what came back.
    pub(crate) async fn post(&self, id: &str, body: String) -> Result<String, Failure> {
        let now = since_epoch();
        let mut request = self
            .http
            .post(self.to.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_secs());
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", key.sign(id, now, &body));
        }
        let response = request.body(body).send().await.map_err(broken)?;
        let reply = read(response).await;
        let what = reply.describe(self.format, &self.secrets);
        match reply.verdict() {
            Verdict::Taken => Ok(what),
            Verdict::TryAgain { pause } => Err(Failure::Passing {
                what: format!("{} answers {what}", self.host),
                pause,
            }),
            Verdict::Refused => Err(Failure::Refused {
                what: format!("{} answers {what}", self.host),
            }),
        }
    }
}

fn client(address: &Url) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("coinlake/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT);
    if is_loopback(address) {
        builder = builder.no_proxy();
    }
    builder.build().context("cannot set up HTTP")
}

/// The parts of an address that a reply may repeat and nobody should read.
fn secrets_of(address: &Url) -> Vec<String> {
    let path = address.path_segments().into_iter().flatten();
    let query = address.query_pairs().map(|(_, value)| value.into_owned());
    let user = [address.username(), address.password().unwrap_or_default()];
    path.chain(user)
        .map(str::to_owned)
        .chain(query)
        .filter(|part| part.len() >= SECRET_CHARS_MIN)
        .collect()
}

/// The status counts, whatever becomes of the body.
async fn read(mut response: reqwest::Response) -> Reply {
    let header = response.headers().get(RETRY_AFTER);
    let header = header.and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|value| retry_after(value, SystemTime::now()));
    let mut body = Vec::new();
    while body.len() < REPLY_BYTES_MAX
        && let Ok(Some(chunk)) = response.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(REPLY_BYTES_MAX);
    Reply {
        status: response.status(),
        retry_after,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn broken(error: reqwest::Error) -> Failure {
    let what = match (error.is_timeout(), error.is_connect()) {
        (true, true) => format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
        (true, false) => format!("no answer in {} s", TIMEOUT.as_secs()),
        // The innermost cause says most, and names no address as the error itself does.
        (false, _) => format!("no connection: {}", anyhow::Error::new(error).root_cause()),
    };
    Failure::Passing { what, pause: None }
}

fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_does_not_come_about_is_named_as_that() {
        // The system accepts for it, and nobody ever speaks TLS.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Receiver::new(ReceiverSettings {
            name: None,
            url: format!("https://{}/", silent.local_addr().unwrap()).into(),
            key: None,
            format: Format::Json,
            min_severity: Severity::Info,
            cooldown: Duration::ZERO,
            rules: Rules::default(),
            selection: Selection::default(),
        });
        let error = receiver.unwrap().test().await.unwrap_err();
        assert_eq!(error.to_string(), "no connection within 5 s");
    }
}
