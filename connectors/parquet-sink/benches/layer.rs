//! How fast one core writes the features layer: JSON into Arrow, Arrow into a Parquet file, and both.
//!
//! `cargo bench --workspace --bench layer -- [--out FILE.parquet]` keeps the file, so that other writers can be measured with
//! the same rows. The result goes to stdout as one JSON object.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use clap::Parser;
use connector_runtime::config::Secrets;
use market::names::topic;
use parquet::arrow::ArrowWriter;
use parquet_sink::config::StagePlan;
use parquet_sink::encode::rows::{BATCH_ROWS, Rows, Source};
use parquet_sink::encode::schema::LayerSchema;
use parquet_sink::{SECTION, StageConfig};
use serde_json::json;

const CONFIG: &str = include_str!("../../../fluvio-config/connectors/stage-features.yaml");
const ROWS: usize = 400_000;
const ROUNDS: usize = 5;

/// Features as the module writes them: numbers with all their digits, and a null in every row.
fn outputs() -> Vec<String> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let coins = [
        "bitcoin", "ethereum", "solana", "cardano", "dogecoin", "ripple", "tron",
    ];
    let outputs = (0..ROWS).map(|i| {
        let coin = coins[i % coins.len()];
        let time = 1_748_709_540_000 + (i / coins.len()) as i64 * 60_000;
        let price = (100.0 * (1.0 + random()) * 100.0).round() / 100.0;
        let volume = (1e9 * (1.0 + random())).round();
        let mut text = format!(
            r#"{{"source_offset":{i},"status":"features","raw_offset":{i},"coin":"{coin}","symbol":"{}","event_time":{time},"fetched_at":{},"price":{price},"market_cap":{},"volume_24h":{volume},"change_24h_pct":null"#,
            &coin[..3],
            time + 1_234,
            price * 19e6,
        );
        for name in ["ma_1m", "ma_5m", "ma_15m"] {
            text += &format!(r#","{name}":{}"#, price * (1.0 + random() / 1e3));
        }
        text += r#","samples_1m":1,"samples_5m":5,"samples_15m":15"#;
        for name in [
            "log_return", "volatility_1m", "volatility_5m", "volatility_15m", "return_1m", "return_5m", "return_15m",
            "zscore_15m",
        ] {
            match name {
                "volatility_1m" => text += r#","volatility_1m":null"#,
                _ => text += &format!(r#","{name}":{}"#, (random() - 0.5) / 500.0),
            }
        }
        for name in ["volume_ma_15m", "volume_ratio", "volume_surge"] {
            text += &format!(r#","{name}":{}"#, volume * random());
        }
        text + "}"
    });
    outputs.collect()
}

fn decode(schema: &Arc<LayerSchema>, outputs: &[String]) -> Vec<RecordBatch> {
    let mut rows = Rows::new(schema.clone(), topic::CLEAN, 0);
    let mut batches = Vec::new();
    for (offset, output) in outputs.iter().enumerate() {
        let source = Source {
            offset: offset as i64,
            timestamp_ms: -1,
            key: None,
            value: output.as_bytes(),
        };
        rows.push(source).expect("the bench's rows fit the layer");
        if rows.len() == BATCH_ROWS {
            batches.push(rows.finish());
        }
    }
    batches.push(rows.finish());
    batches
}

fn encode(schema: &LayerSchema, batches: &[RecordBatch]) -> Vec<u8> {
    let properties = Some(schema.properties.clone());
    let mut writer = ArrowWriter::try_new(Vec::new(), schema.arrow.clone(), properties)
        .expect("the schema can be written");
    for batch in batches {
        writer.write(batch).expect("writing to memory works");
    }
    writer.into_inner().expect("writing to memory works")
}

/// The result of the work, and the rows per second of the fastest round.
fn measure<T>(what: &str, mut work: impl FnMut() -> T) -> (T, f64) {
    let mut best = f64::MAX;
    let mut result = None;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        result = Some(black_box(work()));
        best = best.min(started.elapsed().as_secs_f64());
    }
    let rate = ROWS as f64 / best;
    eprintln!("{what:<28} {rate:>9.0} rows/s");
    (result.expect("there is at least one round"), rate)
}

#[derive(Parser)]
struct Args {
    /// Write the Parquet file here
    #[arg(long)]
    out: Option<PathBuf>,
    /// Passed by cargo to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let config = StageConfig::from_yaml(CONFIG, SECTION, &Secrets::none())
        .expect("the shipped config is valid");
    let plan = StagePlan::new(&config).expect("the shipped config is valid");
    let layer = plan.layers().next().expect("it has a layer");
    let schema = Arc::new(LayerSchema::new(layer));
    let envelopes = parquet_sink::envelope::EnvelopeReader::new(&plan);
    let outputs = outputs();
    let bytes: usize = outputs.iter().map(String::len).sum();
    eprintln!("{ROWS} rows of {} bytes JSON, one thread", bytes / ROWS);
    measure("envelopes", || {
        let read = outputs.iter().map(|o| envelopes.read(o.as_bytes()).is_ok());
        read.filter(|read| *read).count()
    });
    let (batches, decode_rate) = measure("JSON -> Arrow", || decode(&schema, &outputs));
    let (file, encode_rate) = measure("Arrow -> Parquet (zstd)", || encode(&schema, &batches));
    let (_, both_rate) = measure("JSON -> Parquet", || {
        encode(&schema, &decode(&schema, &outputs))
    });
    println!(
        "{}",
        json!({
            "rows": ROWS,
            "file_bytes": file.len(),
            "decode_rows_per_second": decode_rate,
            "encode_rows_per_second": encode_rate,
            "rows_per_second": both_rate,
        })
    );
    if let Some(path) = args.out {
        std::fs::write(path, file).expect("the file can be written");
    }
}
