//! The newest `last_updated` of every coin that is polled, as a metric.
//!
//! Always true: there is a series for each coin of the newest replies and for no other, so a coin that leaves the list takes
//! its series along.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// docs/metrics.md is made from this, and from the series below.
const HEAD: &str = "# HELP coingecko_source_coin_update_timestamp_seconds The latest last_updated of each coin\n\
                    # TYPE coingecko_source_coin_update_timestamp_seconds gauge\n";

/// By page.
#[derive(Debug, Default)]
pub(crate) struct CoinTimes(Mutex<Vec<Vec<CoinTime>>>);

/// A coin's id, and the latest `last_updated` so far in milliseconds since the epoch.
pub(crate) type CoinTime = (Bytes, i64);

impl CoinTimes {
    /// A page came, with these coins.
    pub(crate) fn came(&self, page: usize, coins: Vec<CoinTime>) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() <= page {
            pages.resize_with(page + 1, Vec::new);
        }
        pages[page] = coins;
    }

    /// In Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        let pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A coin can be on two pages, and a series must not.
        let mut newest = BTreeMap::new();
        for (coin, time_ms) in pages.iter().flatten() {
            let newest = newest.entry(coin).or_insert(*time_ms);
            *newest = time_ms.max(newest).to_owned();
        }
        let mut text = HEAD.to_owned();
        for (coin, time_ms) in newest {
            let coin = String::from_utf8_lossy(coin);
            let coin = coin
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            // Writing into a String cannot fail.
            let _ = writeln!(
                text,
                "coingecko_source_coin_update_timestamp_seconds{{coin=\"{coin}\"}} {}",
                time_ms as f64 / 1e3
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "coingecko_source_coin_update_timestamp_seconds";

    #[test]
    fn a_series_for_every_coin_of_the_newest_replies() {
        let times = CoinTimes::default();
        let coin = |id: &'static str, time_ms| (Bytes::from(id), time_ms);
        times.came(1, vec![coin("tether", 3_000), coin("a \"b\"\\", 1)]);
        times.came(0, vec![coin("gone", 5_000)]);
        times.came(0, vec![coin("bitcoin", 1_500), coin("tether", 4_000)]);
        let text = times.metrics();
        let series: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            series,
            [
                format!(r#"{NAME}{{coin="a \"b\"\\"}} 0.001"#),
                format!(r#"{NAME}{{coin="bitcoin"}} 1.5"#),
                format!(r#"{NAME}{{coin="tether"}} 4"#),
            ]
        );
    }
}
