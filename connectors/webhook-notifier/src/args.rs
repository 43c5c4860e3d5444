//! Receivers, as a command line names them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use connector_runtime::config::Secrets;
use market::{Rules, Severity};

use crate::format::Format;
use crate::receiver::Receiver;
use crate::settings::{NamedReceiver, URL, WebhookSettings, severity};

/// Who is told of alerts, and of which. The address and the key are secrets: COINLAKE_WEBHOOK_URL and, to sign what is
/// posted, COINLAKE_WEBHOOK_SECRET
#[derive(Debug, Clone, Default, clap::Args)]
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
    /// At most one message a coin in this time, unless the severity rises or the price has gone as far again [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    webhook_cooldown: Option<Duration>,
    /// Rules and built-in kinds to tell of, by name [default: all]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    webhook_only: Vec<String>,
    /// Rules and built-in kinds that no receiver is told of, by name
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    webhook_mute: Vec<String>,
    /// One more receiver, as NAME:FORMAT, NAME:FORMAT:SEVERITY or NAME:FORMAT:SEVERITY:ONLY,ONLY; its secrets are COINLAKE_WEBHOOK_URL_NAME and
    /// COINLAKE_WEBHOOK_SECRET_NAME, in upper case and with _ for -. May be given again
    #[arg(long, value_name = "NAME:FORMAT[:SEVERITY[:ONLY]]")]
    webhook: Vec<NamedReceiver>,
}

impl WebhookArgs {
    /// The settings with what the arguments say in place of theirs.
    pub fn over(&self, settings: &WebhookSettings) -> WebhookSettings {
        WebhookSettings {
            format: self.webhook_format.unwrap_or(settings.format),
            min_severity: self.webhook_min_severity.unwrap_or(settings.min_severity),
            cooldown: self.webhook_cooldown.unwrap_or(settings.cooldown),
            only: chosen(&self.webhook_only, &settings.only),
            mute: chosen(&self.webhook_mute, &settings.mute),
            receivers: chosen(&self.webhook, &settings.receivers),
        }
    }

    /// All receivers, of which there must be one.
    ///
    /// # Errors
    /// When there is none, or something about one is wrong.
    pub fn required(&self, rules: &Rules) -> Result<Vec<Receiver>> {
        let secrets = match &self.secrets {
            Some(path) => Secrets::from_file(path)?,
            None => Secrets::from_env(),
        };
        let receivers = self
            .over(&WebhookSettings::default())
            .receivers(&secrets, rules)?;
        if receivers.is_empty() {
            let remedy = secrets.remedy(URL);
            anyhow::bail!("there is no webhook to tell of alerts: {remedy}");
        }
        Ok(receivers)
    }
}

/// What an option gives, or else what is set.
fn chosen<T: Clone>(given: &[T], set: &[T]) -> Vec<T> {
    match given {
        [] => set.to_vec(),
        given => given.to_vec(),
    }
}
