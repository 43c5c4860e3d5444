//! Receivers, as settings and secrets name them.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use connector_runtime::config::{Secrets, Span};
use market::{Rules, Severity};
use secrecy::{ExposeSecret, SecretString};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::format::Format;
use crate::receiver::{Receiver, ReceiverSettings};
use crate::selection::{Selection, check_names};

/// The secrets of the only receiver, or of the first; those of others have `_NAME` behind.
pub(crate) const URL: &str = "COINLAKE_WEBHOOK_URL";
const KEY: &str = "COINLAKE_WEBHOOK_SECRET";

/// Who is told of alerts, and of which. The address and the key are secrets: COINLAKE_WEBHOOK_URL and, to sign what is posted,
/// COINLAKE_WEBHOOK_SECRET.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// What is posted about an alert.
    pub format: Format,
    /// The mildest severity to tell of: `info`, `warning` or `critical`. Default `warning`.
    #[serde(deserialize_with = "read_severity")]
    pub min_severity: Severity,
    /// At most one message a coin in this time, unless the severity rises or the price has gone as far again as when somebody
    /// was last told. A rule has its own time, `repeat`.
    #[serde(deserialize_with = "read_duration")]
    pub cooldown: Duration,
    /// Rules and built-in kinds to tell of, by name, such as `btc-60k` and `price_spike`. Default: all.
    pub only: Vec<String>,
    /// Rules and built-in kinds that no receiver is told of, by name.
    pub mute: Vec<String>,
    /// More receivers; the secrets of each are COINLAKE_WEBHOOK_URL_NAME and COINLAKE_WEBHOOK_SECRET_NAME, in upper case and
    /// with `_` for `-`.
    pub receivers: Vec<NamedReceiver>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            format: Format::Json,
            min_severity: Severity::Warning,
            cooldown: Duration::from_secs(900),
            only: Vec::new(),
            mute: Vec::new(),
            receivers: Vec::new(),
        }
    }
}

impl WebhookSettings {
    /// All receivers; none where the secrets hold no address. The rules say how often each is repeated.
    ///
    /// # Errors
    /// When something about one is wrong, or a name is unknown.
    pub fn receivers(&self, secrets: &Secrets, rules: &Rules) -> Result<Vec<Receiver>> {
        let secret = |name: &str| {
            let value: Option<SecretString> = secrets.get(name);
            value.filter(|value| !value.expose_secret().is_empty())
        };
        let of_others = self.receivers.iter().flat_map(|named| &named.only);
        check_names(self.only.iter().chain(&self.mute).chain(of_others), rules)?;
        let selection = |only: &[String]| Selection {
            only: only.to_vec(),
            mute: self.mute.clone(),
        };
        let mut receivers = Vec::new();
        if let Some(url) = secret(URL) {
            let settings = ReceiverSettings {
                name: None,
                url,
                key: secrets.get(KEY),
                format: self.format,
                min_severity: self.min_severity,
                cooldown: self.cooldown,
                rules: rules.clone(),
                selection: selection(&self.only),
            };
            receivers.push(receiver(settings, URL, KEY)?);
        }
        for named in &self.receivers {
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
                min_severity: named.min_severity.unwrap_or(self.min_severity),
                cooldown: self.cooldown,
                rules: rules.clone(),
                selection: selection(&named.only),
            };
            let new = receiver(settings, &url, &key)?;
            anyhow::ensure!(
                receivers
                    .iter()
                    .all(|other: &Receiver| other.part() != new.part()),
                "two receivers have the name {}: give each its own",
                named.name
            );
            receivers.push(new);
        }
        Ok(receivers)
    }
}

fn receiver(settings: ReceiverSettings, url: &str, key: &str) -> Result<Receiver> {
    Receiver::new(settings).with_context(|| format!("{url} or {key} cannot be used"))
}

/// A receiver beside the first; on a command line `NAME:FORMAT[:SEVERITY[:ONLY,ONLY]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedReceiver {
    /// Lower-case letters, digits and `-`.
    #[serde(deserialize_with = "read_name")]
    name: String,
    /// What is posted about an alert, as above.
    format: Format,
    /// The mildest severity to tell of. Default: as for the first receiver.
    #[serde(default, deserialize_with = "read_some_severity")]
    min_severity: Option<Severity>,
    /// Rules and built-in kinds to tell of, by name. Default: all.
    #[serde(default)]
    only: Vec<String>,
}

impl FromStr for NamedReceiver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let name = checked_name(name)?;
        let format = parts.next().unwrap_or_default();
        let format = Format::from_str(format, false)
            .map_err(|_| "a format is json, slack, discord, telegram or ntfy".to_owned())?;
        let min_severity = parts.next().filter(|text| !text.is_empty());
        let min_severity = min_severity.map(severity).transpose()?;
        let only = parts.next().into_iter().flat_map(|names| names.split(','));
        let only = only.map(str::to_owned).collect();
        match parts.next() {
            Some(_) => Err(
                "say NAME:FORMAT, NAME:FORMAT:SEVERITY or NAME:FORMAT:SEVERITY:ONLY,ONLY"
                    .to_owned(),
            ),
            None => Ok(Self {
                name,
                format,
                min_severity,
                only,
            }),
        }
    }
}

fn checked_name(name: &str) -> Result<String, String> {
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if name.is_empty() || !name.chars().all(fits) {
        return Err("a name has lower-case letters, digits and - only".to_owned());
    }
    Ok(name.to_owned())
}

fn read_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    checked_name(&name).map_err(|problem| D::Error::custom(format!("receiver `{name}`: {problem}")))
}

fn read_some_severity<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Severity>, D::Error> {
    read_severity(deserializer).map(Some)
}

pub(crate) fn severity(text: &str) -> Result<Severity, String> {
    Severity::named(text).ok_or_else(|| "say info, warning or critical".to_owned())
}

fn read_severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let text = String::deserialize(deserializer)?;
    severity(&text).map_err(|_| D::Error::unknown_variant(&text, &["info", "warning", "critical"]))
}

fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Span::deserialize(deserializer).map(|span| span.0)
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
        assert!(team.only.is_empty());
        let mine: NamedReceiver = "mine:slack::btc-60k,price_move".parse().unwrap();
        assert_eq!(
            (mine.min_severity, mine.only),
            (None, vec!["btc-60k".to_owned(), "price_move".to_owned()])
        );
        for (text, problem) in [
            ("team", "a format is json"),
            (":slack", "a name has"),
            ("Team:slack", "a name has"),
            ("team:irc", "a format is json"),
            ("team:slack:loud", "say info"),
            ("team:slack:info:x:y", "say NAME"),
        ] {
            let error = text.parse::<NamedReceiver>().unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }
}
