//! Receivers, as a command line and secrets name them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use connector_runtime::config::Secrets;
use market::Severity;
use secrecy::{ExposeSecret, SecretString};

use crate::format::Format;
use crate::receiver::{Receiver, ReceiverSettings};

/// The secrets of the only receiver, or of the first; those of others have `_NAME` behind.
const URL: &str = "COINLAKE_WEBHOOK_URL";
const KEY: &str = "COINLAKE_WEBHOOK_SECRET";

/// Who is told of alerts, and of which. The address and the key are secrets: COINLAKE_WEBHOOK_URL and, to sign what is
/// posted, COINLAKE_WEBHOOK_SECRET
#[derive(Debug, Clone, clap::Args)]
pub struct WebhookArgs {
    /// A file of NAME=value lines; without it secrets are environment variables
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// What is posted about an alert
    #[arg(long, value_enum, default_value_t)]
    webhook_format: Format,
    /// The mildest severity to tell of: info, warning or critical
    #[arg(long, value_name = "SEVERITY", default_value = "warning", value_parser = severity)]
    webhook_min_severity: Severity,
    /// At most one message a coin in this time, unless the severity rises
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = humantime::parse_duration)]
    webhook_cooldown: Duration,
    /// One more receiver, as NAME:FORMAT or NAME:FORMAT:SEVERITY; its secrets are COINLAKE_WEBHOOK_URL_NAME and
    /// COINLAKE_WEBHOOK_SECRET_NAME, in upper case and with _ for -. May be given again
    #[arg(long, value_name = "NAME:FORMAT[:SEVERITY]")]
    webhook: Vec<NamedReceiver>,
}

/// One value of `--webhook`.
#[derive(Debug, Clone)]
struct NamedReceiver {
    name: String,
    format: Format,
    min_severity: Option<Severity>,
}

impl FromStr for NamedReceiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        if name.is_empty()
            || !name
                .chars()
                .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        {
            return Err("a name has lower-case letters, digits and - only".to_owned());
        }
        let format = parts.next().unwrap_or_default();
        let format = Format::from_str(format, false)
            .map_err(|_| "a format is json, slack, discord, telegram or ntfy".to_owned())?;
        let min_severity = parts.next().map(severity).transpose()?;
        match parts.next() {
            Some(_) => Err("say NAME:FORMAT or NAME:FORMAT:SEVERITY".to_owned()),
            None => Ok(Self {
                name: name.to_owned(),
                format,
                min_severity,
            }),
        }
    }
}

fn severity(text: &str) -> Result<Severity, String> {
    let mut all = Severity::ALL.into_iter();
    all.find(|severity| severity.as_str() == text)
        .ok_or_else(|| "say info, warning or critical".to_owned())
}

impl WebhookArgs {
    /// All receivers; none without an address.
    ///
    /// # Errors
    /// When something about one is wrong.
    pub fn receivers(&self) -> Result<Vec<Receiver>> {
        let secrets = self.read_secrets()?;
        let secret = |name: &str| {
            let value: Option<SecretString> = secrets.get(name);
            value.filter(|value| !value.expose_secret().is_empty())
        };
        let mut receivers = Vec::new();
        if let Some(url) = secret(URL) {
            let settings = ReceiverSettings {
                name: None,
                url,
                key: secrets.get(KEY),
                format: self.webhook_format,
                min_severity: self.webhook_min_severity,
                cooldown: self.webhook_cooldown,
            };
            receivers.push(receiver(settings, URL, KEY)?);
        }
        for named in &self.webhook {
            let suffix = named.name.to_ascii_uppercase().replace('-', "_");
            let (url, key) = (format!("{URL}_{suffix}"), format!("{KEY}_{suffix}"));
            let settings = ReceiverSettings {
                name: Some(named.name.clone()),
                url: secret(&url).with_context(|| {
                    format!(
                        "the receiver {} has no address: {}",
                        named.name,
                        secrets.remedy(&url)
                    )
                })?,
                key: secrets.get(&key),
                format: named.format,
                min_severity: named.min_severity.unwrap_or(self.webhook_min_severity),
                cooldown: self.webhook_cooldown,
            };
            let new = receiver(settings, &url, &key)?;
            anyhow::ensure!(
                receivers
                    .iter()
                    .all(|other: &Receiver| other.part() != new.part()),
                "two receivers have the name {}: --webhook gives each its own",
                named.name
            );
            receivers.push(new);
        }
        Ok(receivers)
    }

    /// All receivers, of which there must be one.
    ///
    /// # Errors
    /// When there is none, or something about one is wrong.
    pub fn required(&self) -> Result<Vec<Receiver>> {
        let receivers = self.receivers()?;
        if receivers.is_empty() {
            let remedy = self.read_secrets()?.remedy(URL);
            anyhow::bail!("there is no webhook to tell of alerts: {remedy}");
        }
        Ok(receivers)
    }

    fn read_secrets(&self) -> Result<Secrets> {
        Ok(match &self.secrets {
            Some(path) => Secrets::from_file(path)?,
            None => Secrets::from_env(),
        })
    }
}

fn receiver(settings: ReceiverSettings, url: &str, key: &str) -> Result<Receiver> {
    Receiver::new(settings).with_context(|| format!("{url} or {key} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_receiver_has_a_format_and_maybe_a_severity() {
        let phone: NamedReceiver = "phone-2:ntfy:critical".parse().unwrap();
        assert_eq!(phone.name, "phone-2");
        assert_eq!(phone.format, Format::Ntfy);
        assert_eq!(phone.min_severity, Some(Severity::Critical));
        let team: NamedReceiver = "team:slack".parse().unwrap();
        assert_eq!((team.format, team.min_severity), (Format::Slack, None));
        for (text, problem) in [
            ("team", "a format is json"),
            (":slack", "a name has"),
            ("Team:slack", "a name has"),
            ("team:irc", "a format is json"),
            ("team:slack:loud", "say info"),
            ("team:slack:info:x", "say NAME"),
        ] {
            let error = text.parse::<NamedReceiver>().unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }
}
