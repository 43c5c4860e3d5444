//! Where messages go, and one attempt to deliver one.
//!
//! Always true: the address and the key are secrets, and reach no log and no error; a redirect is not followed, as it
//! would take the message elsewhere; an attempt ends within [`TIMEOUT`].

use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use connector_runtime::config::{Secrets, Span};
use market::Severity;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, redirect};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use crate::message::{Alert, Format, SigningKey};

/// The secrets.
const URL: &str = "COINLAKE_WEBHOOK_URL";
const KEY: &str = "COINLAKE_WEBHOOK_SECRET";

/// How long an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A longer pause that a receiver asks for is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// What a webhook is told, and how. Its address and the key are secrets: COINLAKE_WEBHOOK_URL and, to sign what is posted,
/// COINLAKE_WEBHOOK_SECRET.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// What is posted about an alert.
    pub format: Format,
    /// The mildest severity to tell of: `info`, `warning` or `critical`. Default `warning`.
    #[serde(deserialize_with = "read_severity")]
    pub min_severity: Severity,
    /// At most one message a coin in this time, unless the severity rises.
    #[serde(deserialize_with = "read_duration")]
    pub cooldown: Duration,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            format: Format::Json,
            min_severity: Severity::Warning,
            cooldown: Duration::from_secs(900),
        }
    }
}

impl WebhookSettings {
    /// The webhook, where the secrets hold its address.
    ///
    /// # Errors
    /// When something about it is wrong.
    pub fn webhook(&self, secrets: &Secrets) -> Result<Option<Webhook>> {
        let Some(url) = secrets
            .get(URL)
            .filter(|url| !url.expose_secret().is_empty())
        else {
            return Ok(None);
        };
        // The parser's own words do not quote what it was given.
        let url = Url::parse(url.expose_secret())
            .with_context(|| format!("{URL} is not a URL"))
            .and_then(|url| match (url.scheme(), url.host()) {
                ("http" | "https", Some(_)) => Ok(url),
                _ => anyhow::bail!("{URL} must begin with https:// or http:// and name a host"),
            })?;
        let key = secrets.get(KEY).map(|key| SigningKey::new(&key));
        let key = key
            .transpose()
            .with_context(|| format!("{KEY} cannot be used"))?;
        Ok(Some(Webhook {
            http: client(&url)?,
            url,
            key,
            format: self.format,
            min_severity: self.min_severity,
            cooldown: self.cooldown,
        }))
    }
}

/// Who is told of alerts, and of which. The address and the key are secrets: COINLAKE_WEBHOOK_URL and, to sign what is
/// posted, COINLAKE_WEBHOOK_SECRET
#[derive(Debug, Clone, clap::Args)]
pub struct WebhookArgs {
    /// A file of NAME=value lines; without it secrets are environment variables
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<PathBuf>,
    /// What is posted about an alert [default: json]
    #[arg(long, value_enum)]
    webhook_format: Option<Format>,
    /// The mildest severity to tell of: info, warning or critical [default: warning]
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    webhook_min_severity: Option<Severity>,
    /// At most one message a coin in this time, unless the severity rises [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    webhook_cooldown: Option<Duration>,
}

impl WebhookArgs {
    /// The settings with what the arguments say in place of theirs.
    pub fn over(&self, settings: &WebhookSettings) -> WebhookSettings {
        WebhookSettings {
            format: self.webhook_format.unwrap_or(settings.format),
            min_severity: self.webhook_min_severity.unwrap_or(settings.min_severity),
            cooldown: self.webhook_cooldown.unwrap_or(settings.cooldown),
        }
    }

    /// The webhook.
    ///
    /// # Errors
    /// When there is none, or something about it is wrong.
    pub fn required(&self) -> Result<Webhook> {
        let secrets = match &self.secrets {
            Some(path) => Secrets::from_file(path)?,
            None => Secrets::from_env(),
        };
        self.over(&WebhookSettings::default())
            .webhook(&secrets)?
            .with_context(|| {
                format!(
                    "there is no webhook to tell of alerts: {}",
                    secrets.remedy(URL)
                )
            })
    }
}

fn severity(text: &str) -> Result<Severity, String> {
    let mut all = Severity::ALL.into_iter();
    all.find(|severity| severity.as_str() == text)
        .ok_or_else(|| "say info, warning or critical".to_owned())
}

fn read_severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let text = String::deserialize(deserializer)?;
    severity(&text).map_err(|_| D::Error::unknown_variant(&text, &["info", "warning", "critical"]))
}

fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Span::deserialize(deserializer).map(|span| span.0)
}

fn client(url: &Url) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("coinlake/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT);
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build().context("cannot set up HTTP")
}

/// A receiver, and what it is to be told.
pub struct Webhook {
    http: reqwest::Client,
    url: Url,
    key: Option<SigningKey>,
    format: Format,
    pub(crate) min_severity: Severity,
    pub(crate) cooldown: Duration,
}

/// How an attempt failed.
#[derive(Debug)]
pub enum Failure {
    /// Another attempt may work, not before so long if the receiver said so.
    Passing {
        what: String,
        retry_after: Option<Duration>,
    },
    /// The receiver does not want it.
    Refused { what: String },
}

impl Webhook {
    /// The receiver's host, which is no secret.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The body about an alert.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn body(&self, alert: &Alert, suppressed: u64) -> Result<String> {
        self.format.body(alert, suppressed)
    }

    /// One attempt.
    pub async fn post(&self, id: &str, body: String) -> Result<(), Failure> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.as_secs());
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", key.sign(id, now, &body));
        }
        let reply = request.body(body).send().await.map_err(broken)?;
        let status = reply.status();
        if status.is_success() {
            return Ok(());
        }
        let what = format!("{} answers {status}", self.host());
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        if !passing {
            return Err(Failure::Refused { what });
        }
        let retry_after = reply.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(Failure::Passing {
            what,
            retry_after: retry_after.map(|secs| Duration::from_secs(secs).min(RETRY_AFTER_MAX)),
        })
    }
}

fn broken(error: reqwest::Error) -> Failure {
    let what = match error.is_timeout() {
        true => format!("no answer in {} s", TIMEOUT.as_secs()),
        false => {
            // The innermost cause says most, and names no address as the error itself does.
            let mut cause: &dyn std::error::Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            format!("no connection: {cause}")
        }
    };
    Failure::Passing {
        what,
        retry_after: None,
    }
}
