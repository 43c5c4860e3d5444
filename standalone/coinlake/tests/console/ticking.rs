//! The market, going on after the recording has ended: a minute of every coin, again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use connector_runtime::cluster::Client;
use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::platform::{Newest, connect};

const MINUTE_MS: i64 = 60_000;
/// How often a minute comes.
const PAUSE: Duration = Duration::from_millis(50);

/// A market that ticks until it is stopped.
pub struct Ticking {
    stop: CancellationToken,
    minutes: JoinHandle<i64>,
    began: Newest,
}

impl Ticking {
    /// Goes on from the newest rows of crypto-features.
    pub async fn start(broker: &str, began: Newest) -> Self {
        let mut writer = raw_writer(&connect(broker).await).await;
        let stop = CancellationToken::new();
        let (stopped, rows) = (stop.clone(), began.clone());
        let minutes = tokio::spawn(async move {
            let mut minute = 0;
            while !stopped.is_cancelled() {
                minute += 1;
                let rows = rows.values().enumerate();
                let records: Vec<_> = rows
                    .map(|(nth, row)| tick(row, nth as f64, minute))
                    .collect();
                writer.append(&records).await.unwrap();
                tokio::time::sleep(PAUSE).await;
            }
            minute
        });
        Self {
            stop,
            minutes,
            began,
        }
    }

    /// Ends it; says when every coin ticked last.
    pub async fn stop(self) -> BTreeMap<String, i64> {
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
pub async fn raw_writer(client: &Client) -> TopicWriter {
    let writer = TopicWriter::open(client, "crypto-raw", 0, Duration::from_secs(20));
    writer.await.unwrap()
}

/// A coin as CoinGecko tells of it, so many minutes after its last row.
fn tick(row: &Value, nth: f64, minute: i64) -> Outgoing {
    let number = |field: &str| row[field].as_f64().unwrap();
    let at = minute as f64;
    let price = number("price")
        * (1.0 + 0.001 * (at / (4.0 + nth)).sin() + 4e-4 * (at * (nth + 2.3)).sin());
    let volume = number("volume_24h") * (1.0 + 2e-4 * (at * 1.7 + nth).sin());
    let time = time_of(row) + minute * MINUTE_MS;
    coin(&json!({
        "id": row["coin"], "symbol": row["symbol"], "name": row["coin"], "current_price": price,
        "market_cap": row["market_cap"], "total_volume": volume, "last_updated": rfc3339(time),
    }))
}

/// A coin object as a record of crypto-raw.
pub fn coin(object: &Value) -> Outgoing {
    Outgoing {
        key: Some(object["id"].as_str().unwrap().to_owned().into()),
        value: object.to_string().into(),
    }
}

/// A moment as CoinGecko writes it.
pub fn rfc3339(time_ms: i64) -> String {
    Timestamp::from_millisecond(time_ms).unwrap().to_string()
}
