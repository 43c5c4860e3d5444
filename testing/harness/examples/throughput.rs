//! Records a second of each module in Fluvio's engine, one core, batches of 1,000, against a module written with
//! Fluvio's macro that does nothing, on the same input in the same run, taking turns; of each batch the fastest round
//! counts, because a busy machine only ever slows one down.
//!
//! crypto-predict has a pair of models of the usual size. What their inference alone takes is what the module takes
//! longer with them than with models of a single node, which read and write the same.
//!
//! `cargo build --release --workspace --example throughput && target/release/examples/throughput [ROUNDS] [TICKS_A_SECOND]`

use std::time::{Duration, Instant};

use harness::{Chain, Module, batch, models, wasm_path};
use market::model::{Forest, ModelPair, Node, slot};

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

    for (name, input) in [("crypto-clean", &raw), ("crypto-features", &clean)] {
        compare(rounds, name, input, &[(name, Module::new(name))]);
    }
    let anomaly = Module::new("crypto-anomaly");
    let [without, with] = compare(
        rounds,
        "crypto-anomaly",
        &features,
        &[
            ("no rules", anomaly.clone()),
            ("200 rules", anomaly.with("rules", &rules())),
        ],
    );
    println!(
        "  with 200 rules {:.2} of the speed without",
        without / with
    );
    let pair = models::grown(1);
    let [whole, small] = compare(
        rounds,
        "crypto-predict",
        &features,
        &[
            ("100 trees", predict(&pair)),
            ("1 node", predict(&one_node(&pair))),
        ],
    );
    let alone = whole - small;
    println!(
        "  inference alone {:>9.0} rows/s in wasm, {:>9.0} natively",
        features.len() as f64 / alone,
        native(rounds, &pair, &features),
    );
    single_records(&pair, &features);
}

/// Two hundred rules about all coins over five fields, as far from the market as rules are.
fn rules() -> String {
    const FIELDS: [&str; 5] = [
        "price",
        "price_prev",
        "return_5m",
        "volatility_15m",
        "volume_surge",
    ];
    let rules = (0..200).map(|n| {
        let (field, bound) = (FIELDS[n % 5], 1e9 + n as f64);
        format!(r#"{{"name": "rule-{n}", "when": "price > 0 and {field} > {bound}"}}"#)
    });
    format!("[{}]", rules.collect::<Vec<_>>().join(","))
}

/// Measures these modules, which take the same input, and prints how they compare with doing nothing. What comes back
/// is the seconds that each took.
fn compare<const N: usize>(
    rounds: usize,
    name: &str,
    input: &Records,
    modules: &[(&str, Module); N],
) -> [f64; N] {
    let bytes: usize = input.iter().map(|(_, value)| value.len()).sum();
    println!("{name}: {} bytes a record in", bytes / input.len());
    let mut fastest = [const { Fastest::new() }; N];
    let mut nothing = Fastest::new();
    for _ in 0..rounds {
        for ((_, module), fastest) in modules.iter().zip(&mut fastest) {
            fastest.run(module.clone().with("emit", "all"), input);
        }
        nothing.run(Module::new("do-nothing"), input);
    }
    let fastest = fastest.map(|fastest| fastest.total());
    let nothing = nothing.total();
    let rate = |seconds: Duration| input.len() as f64 / seconds.as_secs_f64();
    for ((what, _), fastest) in modules.iter().zip(fastest) {
        println!(
            "  {what:<15} {:>9.0} records/s, doing nothing {:>9.0}: {:.2}x",
            rate(fastest),
            rate(nothing),
            nothing.as_secs_f64() / fastest.as_secs_f64()
        );
    }
    fastest.map(|seconds| seconds.as_secs_f64())
}

fn predict(pair: &ModelPair) -> Module {
    let wasm = std::fs::read(wasm_path("crypto-predict")).expect("it was built");
    let wasm = slot::fill(&wasm, pair).expect("a usual pair fits");
    Module::new("crypto-predict").made_of(wasm)
}

/// The same, with nothing to be thought about.
fn one_node(pair: &ModelPair) -> ModelPair {
    let forest = pair.anomaly.as_ref().expect("there is a forest");
    let trees = vec![vec![Node::Leaf { q: 12_345 }]];
    let forest = Forest::new(forest.info.clone(), forest.edges().clone(), trees);
    ModelPair {
        anomaly: Some(forest.expect("it is sound")),
        ..pair.clone()
    }
}

/// Rows a second of the forest's inference, natively.
fn native(rounds: usize, pair: &ModelPair, features: &Records) -> f64 {
    let rows: Vec<_> = features
        .iter()
        .filter_map(|(_, value)| market::Features::read(value.as_bytes()))
        .map(|row| market::model::inputs(row.clean.price, row.clean.event_time, &row.windows))
        .collect();
    let forest = pair.anomaly.as_ref().expect("there is a forest");
    let walk = market::model::ForestWalk::new(forest);
    let fastest = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            for rows in rows.chunks(BATCH) {
                std::hint::black_box(walk.probabilities(rows));
            }
            start.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    rows.len() as f64 / fastest.as_secs_f64()
}

/// How long a record takes that comes alone.
fn single_records(pair: &ModelPair, features: &Records) {
    let mut chain = Chain::start(&[predict(pair).with("emit", "all")]).expect("it starts");
    let mut taken: Vec<_> = (0..)
        .zip(features.iter().take(10_000))
        .map(|(offset, record)| {
            let batch = batch(offset, FETCHED, std::slice::from_ref(record));
            let start = Instant::now();
            assert_eq!(chain.run(batch), 1);
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    let at = |share: f64| taken[(share * (taken.len() - 1) as f64) as usize].as_secs_f64() * 1e6;
    println!(
        "  one record at a time: p50 {:.0} µs, p99 {:.0} µs",
        at(0.5),
        at(0.99)
    );
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

/// How long a module takes for each batch, at its fastest.
struct Fastest([Duration; BATCHES]);

impl Fastest {
    const fn new() -> Self {
        Self([Duration::MAX; BATCHES])
    }

    /// Runs a fresh chain.
    fn run(&mut self, module: Module, input: &Records) {
        let mut chain = Chain::start(&[module]).expect("it starts");
        for (n, (records, fastest)) in input.chunks(BATCH).zip(&mut self.0).enumerate() {
            let batch = batch((n * BATCH) as i64, FETCHED, records);
            let start = Instant::now();
            let answered = chain.run(batch);
            *fastest = start.elapsed().min(*fastest);
            assert_eq!(answered, records.len());
        }
    }

    fn total(&self) -> Duration {
        self.0.iter().sum()
    }
}
