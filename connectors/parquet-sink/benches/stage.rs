//! How fast whole stages catch up, each by itself: broker, SmartModule, JSON, Parquet and output topics in one process.
//!
//! `cargo xtask smartmodules && cargo bench -p parquet-sink --bench stage`

#![allow(clippy::unwrap_used)] // A measurement that cannot be taken should say why at once.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig};
use bytes::Bytes;
use connector_runtime::cluster::Cluster;
use connector_runtime::secrets::Secrets;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use connector_runtime::writer::{Outgoing, TopicWriter};
use fluvio_sc_schema::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use parquet_sink::{SECTION, StageConfig, StageStatus};
use tokio_util::sync::CancellationToken;

const RECORDS: usize = 1_000_000;
const COINS: usize = 100;
const START_MS: i64 = 1_748_736_000_000;
const PATIENCE: Duration = Duration::from_secs(30);
const STAGES: [&str; 4] = [
    include_str!("../../../fluvio-config/connectors/stage-raw.yaml"),
    include_str!("../../../fluvio-config/connectors/stage-clean.yaml"),
    include_str!("../../../fluvio-config/connectors/stage-features.yaml"),
    include_str!("../../../fluvio-config/connectors/stage-alerts.yaml"),
];

/// Ticks of 100 coins every ten seconds, in CoinGecko's shape.
fn tick(i: usize) -> Outgoing {
    let coin = format!("coin-{}", i % COINS);
    let round = (i / COINS) as i64;
    let time = jiff::Timestamp::from_millisecond(START_MS + round * 10_000).unwrap();
    let price = 100.0 + ((round * 7 + (i % COINS) as i64 * 13) % 17) as f64 / 10.0;
    let volume = 1_000_000_000 + round * 1_000;
    let value = format!(
        r#"{{"id":"{coin}","symbol":"c{}","name":"Coin","image":"https://example.com/coin.png","current_price":{price},"market_cap":19000000000,"market_cap_rank":1,"total_volume":{volume},"high_24h":120.5,"low_24h":80.25,"price_change_percentage_24h":0.51,"last_updated":"{time:.3}"}}"#,
        i % COINS
    );
    Outgoing {
        key: Some(Bytes::from(coin)),
        value: Bytes::from(value),
    }
}

#[tokio::main]
async fn main() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start(BrokerConfig::new(data.path().join("broker")))
        .await
        .unwrap();
    let cluster = Cluster::at(broker.addr());
    let client = cluster.connect().await.unwrap();
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/smartmodules");
    for name in ["crypto-clean", "crypto-features", "crypto-anomaly"] {
        let wasm = std::fs::read(modules.join(format!("{name}.wasm")));
        let wasm = wasm.expect("run `cargo xtask smartmodules` first");
        let spec = SmartModuleSpec {
            wasm: SmartModuleWasm::from_raw_wasm_bytes(&wasm).unwrap(),
            ..SmartModuleSpec::default()
        };
        client
            .admin()
            .await
            .create(name.to_owned(), false, spec)
            .await
            .unwrap();
    }
    ensure_topic(&client, &TopicSettings::named("crypto-raw"))
        .await
        .unwrap();
    let mut writer = TopicWriter::open(&client, "crypto-raw", 0, PATIENCE)
        .await
        .unwrap();
    let records: Vec<Outgoing> = (0..RECORDS).map(tick).collect();
    let started = Instant::now();
    for some in records.chunks(10_000) {
        writer.append(some).await.unwrap();
    }
    show("producing", RECORDS as i64, started);
    drop(records);
    for text in STAGES {
        let mut config = StageConfig::from_yaml(text, SECTION, &Secrets::none()).unwrap();
        config.settings.lake = data.path().join("lake").to_str().unwrap().to_owned();
        let name = config.meta.name.clone();
        let input = config.meta.topic.name.clone();
        let end = connector_runtime::reader::offsets(&client, &input, 0)
            .await
            .unwrap()
            .end;
        let stop = CancellationToken::new();
        let status = Arc::new(StageStatus::default());
        let started = Instant::now();
        let run = parquet_sink::run(config, cluster.clone(), stop.clone(), status.clone());
        let run = tokio::spawn(run);
        while status.next_input() < end && !run.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        run.await.unwrap().unwrap();
        show(&name, end, started);
    }
    broker.stop().await;
}

fn show(what: &str, records: i64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    println!("{what:<16} {:>9.0} records/s", records as f64 / seconds);
}
