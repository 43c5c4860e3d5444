//! The market, going on after the recording has ended: a minute of every coin, again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::platform::{Newest, connect};

const MINUTE_MS: i64 = 60_000;
/// The walk is always the same.
const SEED: u64 = 5;
/// How often a minute comes.
const PAUSE: Duration = Duration::from_millis(50);

/// A market that ticks until it is stopped.
pub(crate) struct Ticking {
    stop: CancellationToken,
    minutes: JoinHandle<i64>,
    began: Newest,
}

impl Ticking {
    /// Goes on from the newest rows of crypto-features.
    pub(crate) async fn start(broker: &str, began: Newest) -> Self {
        let mut writer = raw_writer(&connect(broker).await).await;
        let stop = CancellationToken::new();
        let (stopped, mut rows) = (stop.clone(), began.clone());
        let minutes = tokio::spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(SEED);
            let mut minutes = 0;
            while !stopped.is_cancelled() {
                minutes += 1;
                for row in rows.values_mut() {
                    *row = a_minute_later(row, &mut random);
                }
                let records: Vec<_> = rows.values().map(tick).collect();
                writer.append(&records).await.unwrap();
                tokio::time::sleep(PAUSE).await;
            }
            minutes
        });
        Self {
            stop,
            minutes,
            began,
        }
    }

    /// Ends it; says when every coin ticked last.
    pub(crate) async fn stop(self) -> BTreeMap<String, i64> {
        self.stop.cancel();
        let minutes = self.minutes.await.unwrap();
        let coins = self.began.iter();
        coins
            .map(|(coin, row)| (coin.clone(), time_of(row) + minutes * MINUTE_MS))
            .collect()
    }
}

fn time_of(row: &Value) -> i64 {
    row["event_time"].as_i64().unwrap()
}

/// For more records in crypto-raw.
pub(crate) async fn raw_writer(client: &Client) -> TopicWriter {
    let writer = TopicWriter::open(client, "crypto-raw", 0, Duration::from_secs(20));
    writer.await.unwrap()
}

/// A coin's row a minute on: its price and its volume walk.
fn a_minute_later(row: &Value, random: &mut ChaCha8Rng) -> Value {
    let mut walk = |field: &str, step: f64| {
        row[field].as_f64().unwrap() * (1.0 + step * random.random_range(-1.0..1.0))
    };
    json!({
        "coin": row["coin"], "symbol": row["symbol"], "market_cap": row["market_cap"],
        "change_24h_pct": row["change_24h_pct"], "event_time": time_of(row) + MINUTE_MS, "price": walk("price", 8e-4), "volume_24h": walk("volume_24h", 2e-4),
    })
}

/// A coin's row as CoinGecko tells of it.
fn tick(row: &Value) -> Outgoing {
    coin(&json!({
        "id": row["coin"], "symbol": row["symbol"], "name": row["coin"], "current_price": row["price"],
        "market_cap": row["market_cap"], "total_volume": row["volume_24h"],
        "price_change_percentage_24h": row["change_24h_pct"], "last_updated": rfc3339(time_of(row)),
    }))
}

/// A coin object as a record of crypto-raw.
pub(crate) fn coin(object: &Value) -> Outgoing {
    Outgoing {
        key: Some(object["id"].as_str().unwrap().to_owned().into()),
        value: object.to_string().into(),
    }
}

/// A moment as CoinGecko writes it.
pub(crate) fn rfc3339(time_ms: i64) -> String {
    Timestamp::from_millisecond(time_ms).unwrap().to_string()
}
