//! The shape of `coinlake.yaml`. What its values mean together is checked in `run_plan`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use coingecko_source::SourceSettings;
use connector_runtime::config::{Bytes, Parameter, Span};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use webhook_notifier::WebhookSettings;

use super::address::{Address, HostPort};

/// `coinlake.yaml`, the settings of `coinlake up` and of the commands that work on its data. Everything may be left out. Relative paths start at the file's folder. A changed
/// file needs a restart and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Folder of topics, models and, unless `lake` says otherwise, the lake. Default `coinlake-data`.
    pub(crate) data: Option<PathBuf>,
    /// File of `NAME=value` lines: environment variables for this command, such as `COINGECKO_API_KEY` or
    /// `AWS_SECRET_ACCESS_KEY`. A variable that is set already wins.
    pub(crate) secrets: Option<PathBuf>,
    /// Which coins, in which currency, how often: [as for the connector](#coingecko-source), except
    /// `api_key`, which comes from `secrets` or the environment. Default: the
    /// 250 largest, in US dollars. The currency cannot change on existing data.
    pub(crate) coingecko: Option<SourceSettings>,
    /// A folder, `s3://bucket/prefix`, `gs://…` or `az://…`. Credentials come from the environment or `secrets`. Default:
    /// `lake` in the data folder.
    pub(crate) lake: Option<String>,
    /// How often rows become files of the lake. Default `60s`.
    pub(crate) commit_interval: Option<Span>,
    /// How long the lake's tables keep rows, and how large their files become, by table: `raw`, `clean`, `rejected`,
    /// `features`, `alerts`, `predictions`. Default: they keep everything.
    #[serde(deserialize_with = "or_default")]
    pub(crate) tables: BTreeMap<String, Option<TableSettings>>,
    /// Upkeep of the lake's tables.
    #[serde(deserialize_with = "or_default")]
    pub(crate) upkeep: UpkeepSettings,
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
    /// always when less than 5 % and less than 4 GiB of a disk that holds them are free. Nothing is deleted. Default: no limit.
    pub(crate) disk_budget: Option<Bytes>,
    /// The web console; an address or a port alone is its `listen`.
    #[serde(deserialize_with = "console_settings")]
    pub(crate) console: ConsoleSettings,
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

/// The web console. It has no login: whoever reaches it sees everything, mutes coins and acknowledges alerts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConsoleSettings {
    /// Its address; port 0 selects a free port. Default `127.0.0.1:9080`.
    pub(crate) listen: Option<Address>,
    /// Host names under which a proxy or a tunnel reaches the console, such as `box.tailnet.ts.net`. On loopback, requests for other
    /// names than these and this machine's are refused. On another address all names are served, until one is listed here.
    #[serde(deserialize_with = "or_default")]
    pub(crate) allowed_hosts: Vec<String>,
}

/// A table of the lake.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TableSettings {
    /// How long rows are kept, such as `90d`, at least `1d`: whole days that are older are removed. Age counts from the
    /// table's newest file, so one that gets nothing new loses nothing. Training and charts see no more than that. Default: everything.
    pub(crate) keep: Option<Span>,
    /// The size of the files that upkeep makes of small ones, at least `1 MiB`. Default `128 MiB`.
    pub(crate) file_size: Option<Bytes>,
}

/// Upkeep: small files of the lake are merged, expired days and files that no table refers to are removed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UpkeepSettings {
    /// How often, at low priority, and first five minutes after the start at the latest; `0s` for never, when `coinlake lake upkeep` is run by something else. Default `5m`.
    pub(crate) every: Option<Span>,
}

/// Training without being asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrainSettings {
    /// Train at this interval, in a process of low priority; versions that are better go to production. Default: never.
    pub(crate) every: Option<Span>,
    /// Use only rows of this long before the newest. Default: all.
    pub(crate) since: Option<Span>,
    /// How many runs stay in the data folder, with their model versions: upkeep removes older ones, except those with a version
    /// that has an alias or is its model's newest. `0` keeps all. On an MLflow server nothing is removed. Default `30`.
    pub(crate) keep_runs: Option<u32>,
}

/// A section may be empty, as when all of its keys are comments.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A map, or an address alone.
fn console_settings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ConsoleSettings, D::Error> {
    struct ConsoleVisitor;
    impl<'de> Visitor<'de> for ConsoleVisitor {
        type Value = ConsoleSettings;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an IP address and a port, a port on loopback, or a map with `listen` and `allowed_hosts`")
        }

        fn visit_unit<E: Error>(self) -> Result<ConsoleSettings, E> {
            Ok(ConsoleSettings::default())
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<ConsoleSettings, E> {
            Address::deserialize(text.into_deserializer()).map(at)
        }

        fn visit_u64<E: Error>(self, port: u64) -> Result<ConsoleSettings, E> {
            Address::deserialize(port.into_deserializer()).map(at)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ConsoleSettings, A::Error> {
            ConsoleSettings::deserialize(MapAccessDeserializer::new(map))
        }
    }
    fn at(listen: Address) -> ConsoleSettings {
        ConsoleSettings {
            listen: Some(listen),
            ..ConsoleSettings::default()
        }
    }
    deserializer.deserialize_any(ConsoleVisitor)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use connector_runtime::config::YamlFile;

    use super::*;

    fn console(text: &str) -> Result<(Option<String>, Vec<String>), String> {
        let file = YamlFile::of_text(Path::new("coinlake.yaml"), format!("console: {text}\n"));
        let settings: Result<Settings, _> = file.parse();
        let console = settings.map_err(|error| error.to_string())?.console;
        let listen = console.listen.map(|listen| listen.0.to_string());
        Ok((listen, console.allowed_hosts))
    }

    #[test]
    fn a_console_is_an_address_or_a_map() {
        let at = |address: &str| Some(address.to_owned());
        assert_eq!(console("9080"), Ok((at("127.0.0.1:9080"), vec![])));
        assert_eq!(console("0.0.0.0:80"), Ok((at("0.0.0.0:80"), vec![])));
        assert_eq!(console(""), Ok((None, vec![])));
        let both = console("{listen: 9081, allowed_hosts: [box.example]}");
        assert_eq!(
            both,
            Ok((at("127.0.0.1:9081"), vec!["box.example".to_owned()]))
        );
        for wrong in ["nowhere", "{hosts: [a]}", "70000"] {
            console(wrong).unwrap_err();
        }
    }
}
