//! How old the newest ticks are, and whether new ones keep coming.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use connector_runtime::cluster::Client;
use connector_runtime::reader::Arrivals;
use connector_runtime::record::Record;
use connector_runtime::topic::partition_count;
use market::Feed;
use serde::Deserialize;

use crate::report::{CoinAge, Freshness, Survey};

/// The first look goes so far back. A coin without a tick for longer has left the market, or never had one.
const LOOK_BACK_MS: i64 = 2 * 3_600_000;
/// More coins than any plan delivers.
const COINS_MAX: usize = 20_000;

/// Follows the topic of ticks, and remembers what it has seen.
#[derive(Debug, Default)]
pub(crate) struct FreshnessReader {
    arrivals: Arrivals,
    feed: Feed,
    /// When a tick of the past last arrived, in milliseconds since the epoch.
    filled_ms: Option<i64>,
    /// The newest event time of each coin, in milliseconds since the epoch.
    coins: HashMap<String, i64>,
}

#[derive(Deserialize)]
struct Tick {
    coin: String,
    event_time: i64,
    #[serde(default)]
    backfilled: bool,
}

impl FreshnessReader {
    /// Looks at what is new in `topic` at `now_ms`, milliseconds since the epoch.
    pub(crate) async fn survey(
        &mut self,
        client: &Client,
        topic: &str,
        now_ms: i64,
        survey: &mut Survey,
    ) -> Result<()> {
        let Ok(partitions) = partition_count(client, topic).await else {
            return Ok(()); // `topics` reports a missing topic
        };
        let arrived = self
            .arrivals
            .look(client, topic, partitions, now_ms - LOOK_BACK_MS)
            .await?;
        for record in &arrived {
            self.take(record);
        }
        self.report(topic, now_ms, survey);
        Ok(())
    }

    fn take(&mut self, record: &Record) {
        let tick = serde_json::from_slice::<Tick>(&record.value);
        // The past says nothing about how fresh the market is.
        if tick.as_ref().is_ok_and(|tick| tick.backfilled) {
            self.filled_ms = self.filled_ms.max(Some(record.timestamp_ms));
            return;
        }
        self.feed.arrived(record.timestamp_ms);
        let Ok(tick) = tick else {
            return;
        };
        if self.coins.len() >= COINS_MAX && !self.coins.contains_key(&tick.coin) {
            return;
        }
        let newest = self.coins.entry(tick.coin).or_insert(tick.event_time);
        *newest = tick.event_time.max(*newest);
    }

    fn report(&mut self, topic: &str, now_ms: i64, survey: &mut Survey) {
        let age = |at_ms: i64| u64::try_from(now_ms.saturating_sub(at_ms) / 1_000).unwrap_or(0);
        let silent = self.feed.silent_for(now_ms);
        let patience = self.feed.patience();
        // The source fills in the past first; what is live comes after it.
        let is_filled = self.is_filled(now_ms, patience);
        let Some(newest_ms) = self.feed.newest_ms() else {
            if !is_filled {
                let message = "no tick has come yet: check that the source is running, and its log";
                survey.report(topic, message.to_owned());
            }
            return;
        };
        self.coins
            .retain(|_, event_time_ms| *event_time_ms > newest_ms - LOOK_BACK_MS);
        if let Some(silence) = silent.filter(|_| !is_filled) {
            let message = format!(
                "nothing new has come for {}, {} is normal: the source is not running, CoinGecko sends nothing new, or a clock \
                 is wrong; the source's log and /readyz say which",
                minutes(silence),
                minutes(patience)
            );
            survey.report(topic, message);
        }
        let mut coins: Vec<_> = self
            .coins
            .iter()
            .map(|(coin, &event_time_ms)| CoinAge {
                coin: coin.clone(),
                seconds: age(event_time_ms),
            })
            .collect();
        coins.sort_by(|a, b| b.seconds.cmp(&a.seconds).then_with(|| a.coin.cmp(&b.coin)));
        survey.freshness = Some(Freshness {
            newest_tick_seconds: coins.last().map(|newest| newest.seconds),
            seconds_since_arrival: age(newest_ms),
            patience_seconds: patience.as_secs(),
            silent: silent.is_some(),
            coins,
        });
    }

    /// Whether ticks of the past have come lately. One from a clock that was set back since counts as one of now.
    fn is_filled(&mut self, now_ms: i64, patience: Duration) -> bool {
        self.filled_ms = self.filled_ms.map(|at_ms| at_ms.min(now_ms));
        self.filled_ms
            .is_some_and(|at_ms| Duration::from_millis(now_ms.abs_diff(at_ms)) <= patience)
    }
}

fn minutes(time: Duration) -> String {
    format!("{} minutes", time.as_secs() / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn tick(coin: &str, event_time_ms: i64, arrived_ms: i64) -> Record {
        let value = serde_json::json!({ "coin": coin, "event_time": event_time_ms, "price": 1.0 });
        Record {
            offset: 0,
            timestamp_ms: arrived_ms,
            key: None,
            value: value.to_string().into(),
        }
    }

    fn report(reader: &mut FreshnessReader, now_ms: i64) -> Survey {
        let mut survey = Survey::default();
        reader.report("crypto-clean", now_ms, &mut survey);
        survey
    }

    #[test]
    fn ages_are_those_of_the_newest_ticks_oldest_coin_first() {
        let mut reader = FreshnessReader::default();
        reader.take(&tick("bitcoin", 0, 3 * MINUTE_MS));
        reader.take(&tick("bitcoin", 2 * MINUTE_MS, 4 * MINUTE_MS));
        reader.take(&tick("bitcoin", MINUTE_MS, 5 * MINUTE_MS)); // late
        reader.take(&tick("tether", -60 * MINUTE_MS, 5 * MINUTE_MS));
        let survey = report(&mut reader, 6 * MINUTE_MS);
        assert!(survey.problems.is_empty(), "{:?}", survey.problems);
        let found = survey.freshness.unwrap();
        assert_eq!(found.newest_tick_seconds, Some(240));
        assert_eq!(found.seconds_since_arrival, 60);
        let coins: Vec<_> = found
            .coins
            .iter()
            .map(|c| (c.coin.as_str(), c.seconds))
            .collect();
        assert_eq!(coins, [("tether", 66 * 60), ("bitcoin", 240)]);
    }

    #[test]
    fn a_coin_that_has_left_the_market_is_forgotten() {
        let mut reader = FreshnessReader::default();
        reader.take(&tick("terra-luna", 0, 0));
        for minute in 0..=180 {
            reader.take(&tick("bitcoin", minute * MINUTE_MS, minute * MINUTE_MS));
        }
        let found = report(&mut reader, 180 * MINUTE_MS).freshness.unwrap();
        let coins: Vec<_> = found.coins.iter().map(|coin| coin.coin.as_str()).collect();
        assert_eq!(coins, ["bitcoin"]);
    }

    fn backfilled(coin: &str, event_time_ms: i64, arrived_ms: i64) -> Record {
        let mut tick = tick(coin, event_time_ms, arrived_ms);
        let mut value: serde_json::Value = serde_json::from_slice(&tick.value).unwrap();
        value["backfilled"] = true.into();
        tick.value = value.to_string().into();
        tick
    }

    #[test]
    fn nothing_live_is_no_problem_while_the_past_is_filled_in() {
        let mut first = FreshnessReader::default();
        first.take(&backfilled("bitcoin", 0, MINUTE_MS));
        let mut again = FreshnessReader::default();
        again.take(&tick("bitcoin", -MINUTE_MS, 0));
        again.take(&backfilled("bitcoin", 0, 60 * MINUTE_MS));
        for (reader, now_ms) in [(&mut first, 11 * MINUTE_MS), (&mut again, 70 * MINUTE_MS)] {
            let problems = report(reader, now_ms).problems;
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(report(reader, now_ms + MINUTE_MS).problems.len(), 1);
        }
        // By a clock that was ahead.
        first.take(&backfilled("bitcoin", 1, 600 * MINUTE_MS));
        assert!(report(&mut first, 20 * MINUTE_MS).problems.is_empty());
        assert_eq!(report(&mut first, 31 * MINUTE_MS).problems.len(), 1);
    }

    #[test]
    fn the_past_is_of_no_age() {
        let mut reader = FreshnessReader::default();
        reader.take(&tick("bitcoin", 0, MINUTE_MS));
        reader.take(&backfilled("tether", 19 * MINUTE_MS, 20 * MINUTE_MS));
        let found = report(&mut reader, 20 * MINUTE_MS).freshness.unwrap();
        assert_eq!(found.seconds_since_arrival, 19 * 60);
        assert_eq!(found.coins.len(), 1);
    }

    #[test]
    fn silence_is_a_problem_and_over_when_something_comes() {
        let mut reader = FreshnessReader::default();
        for poll in 0..10 {
            reader.take(&tick("bitcoin", poll * MINUTE_MS, poll * MINUTE_MS));
        }
        assert!(report(&mut reader, 19 * MINUTE_MS).problems.is_empty());
        let survey = report(&mut reader, 21 * MINUTE_MS);
        assert_eq!(survey.problems[0].about, "crypto-clean");
        let message = &survey.problems[0].message;
        assert!(
            message.starts_with("nothing new has come for 12 minutes, 10 minutes is normal"),
            "{message}"
        );
        assert!(survey.freshness.unwrap().silent);
        reader.take(&tick("bitcoin", 20 * MINUTE_MS, 21 * MINUTE_MS));
        assert!(report(&mut reader, 22 * MINUTE_MS).problems.is_empty());
    }

    #[test]
    fn a_clock_set_right_hides_no_coin() {
        let mut reader = FreshnessReader::default();
        reader.take(&tick("bitcoin", 0, 180 * MINUTE_MS)); // by a clock that is three hours ahead
        let found = report(&mut reader, MINUTE_MS).freshness.unwrap();
        assert_eq!(found.newest_tick_seconds, Some(60));
        assert!(!found.silent);
        assert!(
            report(&mut reader, 12 * MINUTE_MS)
                .freshness
                .unwrap()
                .silent
        );
    }

    #[test]
    fn a_market_without_a_tick_is_a_problem() {
        let survey = report(&mut FreshnessReader::default(), 0);
        assert!(survey.problems[0].message.contains("no tick has come yet"));
        assert!(survey.freshness.is_none());
    }
}
