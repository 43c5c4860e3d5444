//! Records a second of each module in Fluvio's engine, one core, batches of 1,000, against a module written with
//! Fluvio's macro that does nothing, on the same input in the same run, taking turns; of
//! each the fastest round counts, because a busy machine only ever slows one down.
//!
//! `cargo run --release -p smartmodule-checks --example throughput [ROUNDS] [TICKS_A_SECOND]`

use std::time::{Duration, Instant};

use smartmodule_checks::{Chain, Module, batch};

const BATCH: usize = 1_000;
const BATCHES: usize = 40;
const NOW: i64 = 1_700_000_000_000;
/// After all of it.
const FETCHED: i64 = 2_700_000_000_000;

fn main() {
    let rounds: usize = argument(1).map_or(9, |rounds| rounds as usize);
    // How dense the market is: one round of seven coins a minute, unless told otherwise.
    let step_ms = argument(2).map_or(60_000, |a_second| (7_000.0 / a_second) as i64);

    let raw = market(step_ms);
    let clean = derive(Module::new("crypto-clean"), &raw);
    let features = derive(Module::new("crypto-features"), &clean);

    for (name, input) in [
        ("crypto-clean", &raw),
        ("crypto-features", &clean),
        ("crypto-anomaly", &features),
    ] {
        let bytes: usize = input.iter().map(|(_, value)| value.len()).sum();
        println!("{name}: {} bytes a record in", bytes / input.len());
        let (mut module, mut nothing) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            module.push(seconds(Module::new(name).with("emit", "all"), input));
            nothing.push(seconds(Module::new("do-nothing"), input));
        }
        let rate = |seconds: &mut Vec<Duration>| {
            seconds.sort_unstable();
            input.len() as f64 / seconds[0].as_secs_f64()
        };
        let (module, nothing) = (rate(&mut module), rate(&mut nothing));
        println!(
            "  {module:>9.0} records/s, doing nothing {nothing:>9.0}: {:.2}x",
            module / nothing
        );
    }
}

fn argument(place: usize) -> Option<f64> {
    std::env::args().nth(place)?.parse().ok()
}

type Records = Vec<(String, String)>;

/// Seven coins in CoinGecko's shape, all of them every `step_ms`, prices wandering.
fn market(step_ms: i64) -> Records {
    let coins = [
        ("bitcoin", "btc", 104_371.21),
        ("ethereum", "eth", 2_512.64),
        ("solana", "sol", 152.37),
        ("ripple", "xrp", 2.1543),
        ("dogecoin", "doge", 0.19214),
        ("cardano", "ada", 0.6712),
        ("litecoin", "ltc", 86.42),
    ];
    (0..BATCH * BATCHES)
        .map(|n| {
            let (coin, symbol, level) = coins[n % 7];
            let step = (n / 7) as f64;
            let wobble = (step * 0.37).sin() * 1e-3 + (step * 0.011).cos() * 1e-2;
            let price = (level * (1.0 + wobble) * 1e6).round() / 1e6;
            let volume = level * 3.1e5 * (1.0 + wobble * 0.1);
            let time = NOW + (n / 7) as i64 * step_ms;
            let time = jiff::Timestamp::from_millisecond(time).expect("within a few years");
            let value = format!(
                r#"{{"id":"{coin}","symbol":"{symbol}","name":"{coin}","image":"https://assets.coingecko.com/coins/images/1/large/{coin}.png?1547033579","current_price":{price},"market_cap":{},"market_cap_rank":1,"fully_diluted_valuation":351324226502,"total_volume":{volume},"high_24h":{price},"low_24h":{price},"price_change_24h":159.29,"price_change_percentage_24h":0.96122,"market_cap_change_24h":3080113516,"market_cap_change_percentage_24h":0.96563,"circulating_supply":19250368.0,"total_supply":21000000.0,"max_supply":21000000.0,"ath":69045,"ath_change_percentage":-75.77384,"ath_date":"2021-11-10T14:24:11.849Z","atl":67.81,"atl_change_percentage":24567.66014,"atl_date":"2013-07-06T00:00:00.000Z","roi":null,"last_updated":"{time:.3}"}}"#,
                (volume * 24.0).round(),
            );
            (coin.to_owned(), value)
        })
        .collect()
}

/// What a module makes of it.
fn derive(module: Module, input: &Records) -> Records {
    let mut chain = Chain::start(&[module]).expect("it starts");
    let answers = input
        .chunks(BATCH)
        .enumerate()
        .flat_map(|(n, chunk)| chain.process((n * BATCH) as i64, FETCHED, chunk));
    answers
        .map(|answer| (answer.key.unwrap_or_default(), answer.text))
        .collect()
}

/// How long a fresh chain takes for all of it.
fn seconds(module: Module, input: &Records) -> Duration {
    let mut chain = Chain::start(&[module]).expect("it starts");
    let batches: Vec<_> = input
        .chunks(BATCH)
        .enumerate()
        .map(|(n, chunk)| batch((n * BATCH) as i64, FETCHED, chunk))
        .collect();
    let start = Instant::now();
    let answered: usize = batches.into_iter().map(|batch| chain.run(batch)).sum();
    assert_eq!(answered, input.len());
    start.elapsed()
}
