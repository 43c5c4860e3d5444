//! The shape of `coinlake.yaml`. What its values mean together is checked in `run_plan`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coingecko_source::SourceSettings;
use connector_runtime::config::{Bytes, Parameter, Span};
use serde::{Deserialize, Deserializer};
use webhook_notifier::WebhookSettings;

use super::address::{Address, HostPort};

/// `coinlake.yaml`, read by `coinlake up`. Everything may be left out. Relative paths start at the file's folder. A changed
/// file needs a restart and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Folder of topics, models and, unless `lake` says otherwise, the lake. Default `coinlake-data`.
    pub(crate) data: Option<PathBuf>,
    /// File of `NAME=value` lines: environment variables for this command, such as `COINGECKO_API_KEY` or
    /// `AWS_SECRET_ACCESS_KEY`. A variable that is set already wins.
    pub(crate) secrets: Option<PathBuf>,
    /// Which coins, in which currency, how often: [as for the connector](#coingecko-source), but `api_key`. Default: the
    /// 250 largest, in US dollars. The currency cannot change on existing data.
    pub(crate) coingecko: Option<SourceSettings>,
    /// A folder, `s3://bucket/prefix`, `gs://…` or `az://…`. Credentials come from the environment or `secrets`. Default:
    /// `lake` in the data folder.
    pub(crate) lake: Option<String>,
    /// How often rows become files of the lake. Default `60s`.
    pub(crate) commit_interval: Option<Span>,
    /// What counts as an alert: [parameters of crypto-anomaly](../smartmodules/README.md#alerts), such as
    /// `min_severity`, and `rules`, a list of [rules of your own](../smartmodules/README.md#rules).
    #[serde(deserialize_with = "or_default")]
    pub(crate) alerts: BTreeMap<String, Parameter>,
    /// What the receiver at `COINLAKE_WEBHOOK_URL` is told: [the same settings as for notify](#webhook).
    #[serde(deserialize_with = "or_default")]
    pub(crate) webhook: WebhookSettings,
    /// The broker.
    #[serde(deserialize_with = "or_default")]
    pub(crate) broker: BrokerSettings,
    /// Training without being asked.
    #[serde(deserialize_with = "or_default")]
    pub(crate) train: TrainSettings,
    /// What topics, models and a local lake may take on disk together; `coinlake health` and the log warn from 80 % on, and
    /// always when the disk is nearly full. Nothing is deleted. Default: no limit.
    pub(crate) disk_budget: Option<Bytes>,
    /// Address of the web console; port 0 selects a free port. Default `127.0.0.1:9080`.
    pub(crate) console: Option<Address>,
    /// Serve /metrics, /healthz and /readyz there. Default: nowhere.
    pub(crate) metrics: Option<Address>,
}

/// The broker.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BrokerSettings {
    /// Address of the broker; port 0 selects a free port. Whoever can connect can do everything. Default `127.0.0.1:9003`.
    pub(crate) listen: Option<Address>,
    /// Where clients elsewhere reach the broker, for one behind a container or a tunnel. Default: the address by which they
    /// reached it.
    pub(crate) advertise: Option<HostPort>,
    /// How long topics keep records, at least `6h`, which restarts need. The newest 16 MiB of a topic stay. The lake keeps
    /// its rows. Default `7d`.
    pub(crate) retention: Option<Span>,
}

/// Training without being asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrainSettings {
    /// Train at this interval, in a process of low priority; versions that are better go to production. Default: never.
    pub(crate) every: Option<Span>,
    /// Use only rows of this long before the newest. Default: all.
    pub(crate) since: Option<Span>,
}

/// A section may be empty, as when all of its keys are comments.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
