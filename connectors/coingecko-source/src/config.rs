//! The `coingecko` section of the connector's configuration.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use connector_runtime::config::ConnectorConfig;
use connector_runtime::http::is_loopback;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::budget::plan::{KeyPlan, Limits};
use crate::history::HistorySpan;
use crate::poll::pages::Asked;

/// The whole configuration file of this connector.
pub type Config = ConnectorConfig<SourceSettings>;

/// The name of the connector's own section.
pub const SECTION: &str = "coingecko";

/// How many coins are polled when nothing says which.
const TOP_DEFAULT: usize = 100;

/// What to poll, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// The coins to poll, by CoinGecko id: `[bitcoin, ethereum]`. Empty: the largest by market value, see `top`.
    pub ids: Vec<String>,
    /// Without `ids`: how many of the largest coins to poll, 250 a call. Default 100.
    pub top: Option<usize>,
    /// Without `ids`: only coins of this CoinGecko category, by its id, such as `layer-1`.
    pub category: Option<String>,
    /// Coins to poll besides the largest, by CoinGecko id. They take at least one more call.
    pub include: Vec<String>,
    /// Coins to leave out of the largest, by CoinGecko id: `top: 100` without one of them is 99 coins.
    pub exclude: Vec<String>,
    /// The currency of prices, volumes and market values: any that CoinGecko knows. Default `usd`. On a cluster also
    /// set it as `currency` of crypto-anomaly in stage-alerts, whose messages and the console name it; `up` and the chart do.
    pub vs_currency: String,
    /// Which kind of key `api_key` is: `demo` (the free one) or `pro`. It decides the host and the header.
    pub plan: KeyPlan,
    /// The API key, best as `${{ secrets.COINGECKO_API_KEY }}`. Without one the public API answers a few calls a minute.
    pub api_key: Option<SecretString>,
    /// Instead of the plan's own address, e.g. `http://127.0.0.1:8080/api/v3` for a replay.
    pub base_url: Option<String>,
    /// From the start of one poll to the start of the next. Default: 60s; with a demo key 300s for each call of a poll,
    /// so that the month's calls last. A poll that takes longer lets the ticks it missed go by: polls never overlap and
    /// never pile up. `0s` polls again as soon as something new came.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Option<Duration>,
    /// Calls in any minute, retries included. Default: 5 without a key, 30 with a demo key, what CoinGecko's `/key` says
    /// (or else 250) with a pro key, no limit with a `base_url`
    /// and no key.
    pub calls_per_minute: Option<u32>,
    /// Calls in a calendar month (UTC), retries included. The last tenth is spread over the rest of the month. Default:
    /// 10000 with a demo key, what CoinGecko's `/key` says with a pro key, else no limit.
    pub calls_per_month: Option<u64>,
    /// A file that keeps the count of this month's calls across restarts. Without it the count begins at 0 with each
    /// start. Either way it is an estimate: it knows of no other user of the key.
    pub calls_file: Option<PathBuf>,
    /// How much of the past is filled in where it is missing: at the first start, after a stop, after an outage. It takes a
    /// tenth of the month's calls at most. Default: `1d` for up to 50 coins, else `off`.
    pub history: Option<HistorySpan>,
    /// How long one call may take, from connecting to the last byte. Default `30s`.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The largest reply that is read. Default 8 MiB; 250 coins are about 250 KB.
    pub body_bytes_max: usize,
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            top: None,
            category: None,
            include: Vec::new(),
            exclude: Vec::new(),
            vs_currency: "usd".into(),
            plan: KeyPlan::Demo,
            api_key: None,
            base_url: None,
            poll_interval: None,
            calls_per_minute: None,
            calls_per_month: None,
            calls_file: None,
            history: None,
            timeout: Duration::from_secs(30),
            body_bytes_max: 8 << 20,
        }
    }
}

/// Everything that is wrong with the settings, each naming its key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", .0.join("; "))]
pub struct SettingsError(pub Vec<String>);

/// Settings that have been checked: what a poll asks for.
#[derive(Debug, Clone)]
pub(crate) struct Polling {
    pub asked: Asked,
    /// The coins that are not sent.
    pub exclude: HashSet<String>,
    pub key: Option<(KeyPlan, SecretString)>,
    /// As set, or none to leave it to the plan.
    pub poll_interval: Option<Duration>,
    /// As set.
    pub own_limits: Limits,
    /// As the key itself says, once it was asked.
    pub key_limits: Limits,
    /// As its plan is known to have.
    pub plan_limits: Limits,
    pub calls_file: Option<PathBuf>,
    pub history: HistorySpan,
    pub timeout: Duration,
    pub body_bytes_max: usize,
    /// A replay on this machine must not be asked through a proxy.
    pub loopback: bool,
}

impl Polling {
    /// The limits to keep to.
    pub(crate) fn limits(&self) -> Limits {
        self.own_limits.or(self.key_limits).or(self.plan_limits)
    }

    /// The poll interval: as set, or as the limits allow.
    pub(crate) fn interval(&self, calls_per_poll: usize) -> Duration {
        self.poll_interval
            .unwrap_or_else(|| self.limits().poll_interval(calls_per_poll))
    }

    /// The address that says what is left of a paid plan.
    pub(crate) fn key_url(&self) -> Url {
        let mut url = self.asked.markets.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().pop().push("key");
        }
        url
    }
}

impl SourceSettings {
    /// Everything that is wrong, each naming its key; nothing is asked for or started.
    pub fn problems(&self) -> Vec<String> {
        self.check().err().map_or_else(Vec::new, |wrong| wrong.0)
    }

    /// Checks everything without touching the network.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub(crate) fn check(&self) -> Result<Polling, SettingsError> {
        let mut wrong = Vec::new();
        if !self.ids.is_empty() {
            for (name, is_set) in [
                ("top", self.top.is_some()),
                ("category", self.category.is_some()),
                ("include", !self.include.is_empty()),
                ("exclude", !self.exclude.is_empty()),
            ] {
                if is_set {
                    wrong.push(format!(
                        "coingecko.ids and coingecko.{name} exclude each other: keep one"
                    ));
                }
            }
        }
        if self.top == Some(0) {
            wrong.push("coingecko.top is 0: set at least 1, or list coingecko.ids".to_owned());
        }
        for (name, ids) in [
            ("ids", &self.ids),
            ("include", &self.include),
            ("exclude", &self.exclude),
        ] {
            // Some ids hold spaces; none begins or ends with one.
            let odd = |id: &&String| {
                id.is_empty()
                    || id.trim() != *id
                    || id.contains(|c: char| c == ',' || c.is_control())
            };
            if let Some(id) = ids.iter().find(odd) {
                wrong.push(format!(
                    "coingecko.{name} holds {id:?}: one CoinGecko id an entry, such as bitcoin"
                ));
            }
        }
        if let Some(id) = self.include.iter().find(|id| self.exclude.contains(id)) {
            wrong.push(format!(
                "coingecko.include and coingecko.exclude both hold {id:?}: keep it in one"
            ));
        }
        if let Some(category) = &self.category
            && (category.is_empty() || category.trim() != category)
        {
            wrong.push(format!(
                "coingecko.category is {category:?}: set a category's id such as layer-1, or leave it out"
            ));
        }
        if self.vs_currency.is_empty()
            || !self.vs_currency.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            wrong.push(format!(
                "coingecko.vs_currency is {:?}: set a currency such as usd",
                self.vs_currency
            ));
        }
        if self.calls_per_minute == Some(0) {
            wrong.push(
                "coingecko.calls_per_minute is 0: set at least 1, or leave it out".to_owned(),
            );
        }
        if self.calls_per_month == Some(0) {
            wrong
                .push("coingecko.calls_per_month is 0: set at least 1, or leave it out".to_owned());
        }
        if self.timeout.is_zero() {
            wrong.push("coingecko.timeout is 0: set a duration such as 30s".to_owned());
        }
        if self.body_bytes_max == 0 {
            wrong.push("coingecko.body_bytes_max is 0: leave it out for 8 MiB".to_owned());
        }
        // An empty key is how an unset environment variable arrives: none.
        let key = self
            .api_key
            .clone()
            .filter(|key| !key.expose_secret().is_empty())
            .map(|key| (self.plan, key));
        if key.as_ref().is_some_and(|(_, key)| {
            !key.expose_secret()
                .bytes()
                .all(|b| b.is_ascii_graphic() || b == b' ')
        }) {
            wrong.push("coingecko.api_key holds characters no key has: copy it again".to_owned());
        }
        if key.is_none() && self.plan == KeyPlan::Pro {
            wrong.push("coingecko.plan is pro, which needs coingecko.api_key".to_owned());
        }
        let base = self.base_url.as_deref().unwrap_or(self.plan.base_url());
        let base = base_url(base, key.is_some()).map_err(|problem| wrong.push(problem));
        let (Ok(base), true) = (base, wrong.is_empty()) else {
            return Err(SettingsError(wrong));
        };
        let by_ids = !self.ids.is_empty();
        let asked = Asked {
            markets: base.clone(),
            vs_currency: self.vs_currency.to_ascii_lowercase(),
            category: self.category.clone(),
            top: (!by_ids).then(|| self.top.unwrap_or(TOP_DEFAULT)),
            ids: match by_ids {
                true => self.ids.clone(),
                false => self.include.clone(),
            },
        };
        let coins = asked.top.unwrap_or(0) + asked.ids.len();
        Ok(Polling {
            loopback: is_loopback(&base),
            asked,
            history: self
                .history
                .unwrap_or_else(|| HistorySpan::for_coins(coins)),
            exclude: self.exclude.iter().cloned().collect(),
            poll_interval: self.poll_interval,
            own_limits: Limits {
                per_minute: self.calls_per_minute,
                per_month: self.calls_per_month,
            },
            key_limits: Limits::default(),
            plan_limits: match (&self.base_url, &key) {
                (Some(_), None) => Limits::default(),
                // A key is spent through a proxy too.
                (_, key) => Limits::of(key.as_ref().map(|(plan, _)| *plan)),
            },
            key,
            calls_file: self.calls_file.clone(),
            timeout: self.timeout,
            body_bytes_max: self.body_bytes_max,
        })
    }
}

/// The address of `/coins/markets`.
fn base_url(text: &str, with_key: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!(
            "coingecko.base_url is not a URL ({error}): write it like https://api.coingecko.com/api/v3"
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("coingecko.base_url must begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(
            "coingecko.base_url carries a password or a query: a key belongs into coingecko.api_key"
                .to_owned(),
        );
    }
    if with_key && url.scheme() == "http" && !is_loopback(&url) {
        return Err(
            "coingecko.base_url is not encrypted, so coingecko.api_key would travel in the open: use https://"
                .to_owned(),
        );
    }
    Url::parse(&format!(
        "{}/coins/markets",
        url.as_str().trim_end_matches('/')
    ))
    .map_err(|error| format!("coingecko.base_url: {error}"))
}

#[cfg(test)]
mod tests {
    use connector_runtime::config::Secrets;

    use super::*;

    fn urls(settings: &SourceSettings) -> Vec<String> {
        let polling = settings.check().unwrap();
        let pages = polling.asked.pages();
        pages.iter().map(|page| page.url.to_string()).collect()
    }

    #[test]
    fn the_default_is_one_page_of_the_public_api() {
        assert_eq!(
            urls(&SourceSettings::default()),
            [
                "https://api.coingecko.com/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&precision=full&per_page=100&page=1"
            ]
        );
    }

    #[test]
    fn many_coins_are_asked_for_in_pages() {
        let top = SourceSettings {
            top: Some(600),
            ..SourceSettings::default()
        };
        let pages = urls(&top);
        assert_eq!(pages.len(), 3);
        assert!(pages[2].ends_with("per_page=250&page=3"), "{}", pages[2]);

        let ids = SourceSettings {
            ids: (0..251).map(|i| format!("coin-{i}")).collect(),
            vs_currency: "EUR".into(),
            plan: KeyPlan::Pro,
            api_key: Some(SecretString::from("k".to_owned())),
            ..SourceSettings::default()
        };
        let pages = urls(&ids);
        assert_eq!(pages.len(), 2);
        assert!(
            pages[1]
                .starts_with("https://pro-api.coingecko.com/api/v3/coins/markets?vs_currency=eur&")
                && pages[1].ends_with("&ids=coin-250"),
            "{}",
            pages[1]
        );
    }

    #[test]
    fn few_coins_have_a_past_by_themselves() {
        let history = |settings: &str| {
            let text = format!(
                "apiVersion: 0.1.0\nmeta:\n  version: 0.1.0\n  name: source\n  type: coingecko-source\n  topic: t\n\
                 {SECTION}:\n  vs_currency: usd\n{settings}"
            );
            let config = Config::from_yaml(&text, SECTION, &Secrets::none()).unwrap();
            config.settings.check().unwrap().history
        };
        assert_eq!(history("  top: 50\n"), HistorySpan::Day);
        assert_eq!(history("  top: 50\n  include: [pepe]\n"), HistorySpan::Off);
        assert_eq!(history("  ids: [bitcoin]\n"), HistorySpan::Day);
        assert_eq!(history(""), HistorySpan::Off);
        assert_eq!(history("  history: 90d\n"), HistorySpan::NinetyDays);
        assert_eq!(history("  top: 1\n  history: off\n"), HistorySpan::Off);
    }

    #[test]
    fn every_mistake_is_named_with_its_key() {
        let settings = SourceSettings {
            ids: vec!["bitcoin,ethereum".into()],
            top: Some(0),
            vs_currency: "us dollars".into(),
            plan: KeyPlan::Pro,
            base_url: Some("ftp://somewhere".into()),
            category: Some(" layer-1".into()),
            include: vec!["bitcoin".into()],
            exclude: vec!["bitcoin".into(), "".into()],
            calls_per_minute: Some(0),
            calls_per_month: Some(0),
            timeout: Duration::ZERO,
            body_bytes_max: 0,
            ..SourceSettings::default()
        };
        let wrong = settings.check().unwrap_err().to_string();
        for key in [
            "ids and coingecko.top",
            "ids and coingecko.category",
            "ids and coingecko.include",
            "ids and coingecko.exclude",
            "top is 0",
            "ids holds",
            "exclude holds",
            "both hold \"bitcoin\"",
            "category is",
            "vs_currency",
            "plan is pro",
            "base_url",
            "calls_per_minute",
            "calls_per_month",
            "timeout",
            "body_bytes_max",
        ] {
            assert!(wrong.contains(key), "{key} is not named in: {wrong}");
        }
    }

    #[test]
    fn a_key_never_travels_unencrypted_and_never_prints() {
        let settings = |base_url: &str| SourceSettings {
            api_key: Some(SecretString::from("CG-secret".to_owned())),
            base_url: Some(base_url.into()),
            ..SourceSettings::default()
        };
        let open = settings("http://example.com/api/v3");
        assert!(open.check().unwrap_err().to_string().contains("https://"));
        let local = settings("http://127.0.0.1:9/api/v3");
        assert!(local.check().unwrap().loopback);
        assert!(!format!("{open:?} {:?}", local.check()).contains("CG-secret"));
    }
    #[test]
    fn the_plan_decides_what_is_not_set() {
        let key = || Some(SecretString::from("k".to_owned()));
        let demo = SourceSettings {
            api_key: key(),
            ..SourceSettings::default()
        };
        let pro = SourceSettings {
            plan: KeyPlan::Pro,
            ..demo.clone()
        };
        let interval = |settings: &SourceSettings, calls| {
            let polling = settings.check().unwrap();
            polling.interval(calls).as_secs()
        };
        assert_eq!(interval(&SourceSettings::default(), 1), 60);
        assert_eq!((interval(&demo, 1), interval(&demo, 2)), (300, 600));
        assert_eq!(interval(&pro, 4), 60);
        let set = SourceSettings {
            poll_interval: Some(Duration::from_secs(60)),
            ..demo.clone()
        };
        assert_eq!(interval(&set, 1), 60);
        let proxy = SourceSettings {
            base_url: Some("https://example.com/coins".into()),
            ..demo.clone()
        };
        assert_eq!(interval(&proxy, 1), 300);
        let replay = SourceSettings {
            api_key: None,
            ..proxy
        };
        assert_eq!(replay.check().unwrap().limits(), Limits::default());
        let mut polling = pro.check().unwrap();
        assert_eq!(
            polling.key_url().as_str(),
            "https://pro-api.coingecko.com/api/v3/key"
        );
        polling.key_limits.per_month = Some(10_000);
        assert_eq!(polling.interval(1).as_secs(), 300);
        polling.own_limits.per_month = Some(1_000_000);
        assert_eq!(polling.limits().per_month, Some(1_000_000));
    }

    #[test]
    fn ids_may_be_as_odd_as_coingeckos() {
        let odd = ["1move token", "boringdao-[old]", "-6", "_gai16z"];
        let settings = SourceSettings {
            ids: odd.map(str::to_owned).to_vec(),
            ..SourceSettings::default()
        };
        assert!(
            urls(&settings)[0].ends_with("&ids=1move+token%2Cboringdao-%5Bold%5D%2C-6%2C_gai16z")
        );
    }
}
