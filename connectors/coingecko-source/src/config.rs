//! The `coingecko` section of the connector's configuration.

use std::time::Duration;

use connector_runtime::config::ConnectorConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

/// The whole configuration file of this connector.
pub type Config = ConnectorConfig<SourceSettings>;

/// The name of the connector's own section.
pub const SECTION: &str = "coingecko";

/// CoinGecko's largest page, of coins or of ids.
pub(crate) const PAGE_COINS_MAX: usize = 250;

/// What to poll, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// The coins to poll, by CoinGecko id: `[bitcoin, ethereum]`. Empty: the largest by market value, see `top`.
    pub ids: Vec<String>,
    /// Without `ids`: how many of the largest coins to poll, 250 a call. Default 100.
    pub top: Option<usize>,
    /// The currency of prices, volumes and market values: any that CoinGecko knows. Default `usd`, which is what the
    /// rest of Coinlake calls its columns.
    pub vs_currency: String,
    /// Which kind of key `api_key` is: `demo` (the free one) or `pro`. It decides the host and the header.
    pub plan: KeyPlan,
    /// The API key, best as `${{ secrets.COINGECKO_API_KEY }}`. Without one the public API answers a few calls a minute.
    pub api_key: Option<SecretString>,
    /// Instead of the plan's own address, e.g. `http://127.0.0.1:8080/api/v3` for a replay.
    pub base_url: Option<String>,
    /// From the start of one poll to the start of the next. Default `60s`. A poll that takes longer lets the ticks it
    /// missed go by: polls never overlap and never pile up. `0s` polls again as soon as something new came.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// Calls in any minute, retries included. Default: 5 without a key, 30 with a demo key, 250 with a pro key, no limit
    /// with a `base_url`.
    pub calls_per_minute: Option<u32>,
    /// How long one call may take, from connecting to the last byte. Default `30s`.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The largest reply that is read. Default 8 MiB; 250 coins are about 250 KB.
    pub body_bytes_max: usize,
}

/// The kinds of CoinGecko keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPlan {
    /// The free key.
    #[default]
    Demo,
    /// Any paid key.
    Pro,
}

impl KeyPlan {
    /// The header that carries the key.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Demo => "x-cg-demo-api-key",
            Self::Pro => "x-cg-pro-api-key",
        }
    }

    fn base_url(self) -> &'static str {
        match self {
            Self::Demo => "https://api.coingecko.com/api/v3",
            Self::Pro => "https://pro-api.coingecko.com/api/v3",
        }
    }
}

impl std::fmt::Display for KeyPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Demo => "demo",
            Self::Pro => "pro",
        })
    }
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            top: None,
            vs_currency: "usd".into(),
            plan: KeyPlan::Demo,
            api_key: None,
            base_url: None,
            poll_interval: Duration::from_secs(60),
            calls_per_minute: None,
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
    pub pages: Vec<Url>,
    /// The coins asked for by id; empty when they are asked for by rank.
    pub ids: Vec<String>,
    /// How many elements a full page has.
    pub per_page: usize,
    /// How many elements of all pages together are wanted: the top 300 are a page of 250 and 50 of the next 250.
    pub coins_max: usize,
    pub key: Option<(KeyPlan, SecretString)>,
    pub poll_interval: Duration,
    pub calls_per_minute: Option<u32>,
    pub timeout: Duration,
    pub body_bytes_max: usize,
    /// A replay on this machine must not be asked through a proxy.
    pub loopback: bool,
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
        if !self.ids.is_empty() && self.top.is_some() {
            wrong.push("coingecko.ids and coingecko.top exclude each other: keep one".to_owned());
        }
        if self.top == Some(0) {
            wrong.push("coingecko.top is 0: set at least 1, or list coingecko.ids".to_owned());
        }
        let odd = |id: &&String| {
            id.is_empty() || id.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control())
        };
        if let Some(id) = self.ids.iter().find(odd) {
            wrong.push(format!(
                "coingecko.ids holds {id:?}: one CoinGecko id an entry, such as bitcoin"
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
        Ok(Polling {
            pages: self.pages(&base),
            ids: self.ids.clone(),
            per_page: match self.ids.len() {
                0 => self.top.unwrap_or(100).min(PAGE_COINS_MAX),
                _ => PAGE_COINS_MAX,
            },
            coins_max: match self.ids.len() {
                0 => self.top.unwrap_or(100),
                ids => ids,
            },
            poll_interval: self.poll_interval,
            calls_per_minute: self.calls_per_minute.or(match (&self.base_url, &key) {
                (Some(_), _) => None,
                (None, None) => Some(5),
                (None, Some((KeyPlan::Demo, _))) => Some(30),
                (None, Some((KeyPlan::Pro, _))) => Some(250),
            }),
            key,
            timeout: self.timeout,
            body_bytes_max: self.body_bytes_max,
            loopback: is_loopback(&base),
        })
    }

    fn pages(&self, base: &Url) -> Vec<Url> {
        let page = |ids: Option<String>, per_page: usize, page: usize| {
            let mut url = base.clone();
            let mut query = url.query_pairs_mut();
            query.append_pair("vs_currency", &self.vs_currency.to_ascii_lowercase());
            if let Some(ids) = ids {
                query.append_pair("ids", &ids);
            }
            query.append_pair("order", "market_cap_desc");
            query.append_pair("per_page", &per_page.to_string());
            query.append_pair("page", &page.to_string());
            drop(query);
            url
        };
        if self.ids.is_empty() {
            let top = self.top.unwrap_or(100);
            let per_page = top.min(PAGE_COINS_MAX);
            (1..=top.div_ceil(PAGE_COINS_MAX))
                .map(|number| page(None, per_page, number))
                .collect()
        } else {
            self.ids
                .chunks(PAGE_COINS_MAX)
                .map(|ids| page(Some(ids.join(",")), PAGE_COINS_MAX, 1))
                .collect()
        }
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

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(settings: &SourceSettings) -> Vec<String> {
        let polling = settings.check().unwrap();
        polling.pages.iter().map(Url::to_string).collect()
    }

    #[test]
    fn the_default_is_one_page_of_the_public_api() {
        assert_eq!(
            urls(&SourceSettings::default()),
            [
                "https://api.coingecko.com/api/v3/coins/markets?vs_currency=usd&order=market_cap_desc&per_page=100&page=1"
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
            pages[1].starts_with(
                "https://pro-api.coingecko.com/api/v3/coins/markets?vs_currency=eur&ids=coin-250&"
            ),
            "{}",
            pages[1]
        );
    }

    #[test]
    fn every_mistake_is_named_with_its_key() {
        let settings = SourceSettings {
            ids: vec!["bitcoin,ethereum".into()],
            top: Some(0),
            vs_currency: "us dollars".into(),
            plan: KeyPlan::Pro,
            base_url: Some("ftp://somewhere".into()),
            calls_per_minute: Some(0),
            timeout: Duration::ZERO,
            body_bytes_max: 0,
            ..SourceSettings::default()
        };
        let wrong = settings.check().unwrap_err().to_string();
        for key in [
            "ids and",
            "top is 0",
            "ids holds",
            "vs_currency",
            "plan is pro",
            "base_url",
            "calls_per_minute",
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
}
