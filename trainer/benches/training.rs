//! Time and memory of a training on a large lake.
//!
//! `training --make LAKE --days N --coins N` writes the features of a field market into a new lake.
//! `training --lake LAKE [--threads N]` trains on it as `coinlake train run` does, and prints time and memory as JSON.
//! `training --lake LAKE --export FOLDER` writes all rows of `anomaly_ahead` for scikit-learn: `FOLDER/<fit|test>.parquet`.

#[path = "../tests/trainer/market.rs"]
#[allow(dead_code, clippy::unwrap_used)] // the tests' other markets, which panic as tests do
mod market_of_tests;

mod export;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use indicatif::ProgressBar;
use market::{CleanParams, Cleaner, FeatureParams, Featurizer, Input};
use market_of_tests::{FeatureRow, write};
use replay::{Faults, FieldMarket, FieldSettings, Step};
use serde_json::json;
use trainer::data::{Part, open_lake, read_rows};
use trainer::{Label, TimeRange, TrainSettings, train};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).cloned()
    };
    if let Some(lake) = value("--make") {
        let number = |name: &str| value(name).ok_or_else(|| format!("give {name} N"));
        make(
            Path::new(&lake),
            number("--days")?.parse()?,
            number("--coins")?.parse()?,
        );
    } else if let Some((lake, folder)) = value("--lake").zip(value("--export")) {
        let bar = ProgressBar::hidden();
        let rows = read_rows(&open_lake(&lake)?, TimeRange::default(), &bar).await?;
        let label = Label::AnomalyAhead;
        let split = Part::of_rows(&rows, label).split(label)?;
        let folder = Path::new(&folder);
        fs::create_dir_all(folder)?;
        export::export(&split.fit, None, None, &folder.join("fit.parquet"))?;
        export::export(&split.test, None, None, &folder.join("test.parquet"))?;
    } else if let Some(lake) = value("--lake") {
        let mut settings = TrainSettings::of_lake(lake);
        settings.threads = value("--threads")
            .map(|threads| threads.parse())
            .transpose()?;
        let begin = Instant::now();
        let trained = train(&settings, &ProgressBar::hidden()).await?;
        let mut results = json!({
            "seconds": begin.elapsed().as_secs_f64(),
            "cpu_seconds": cpu_seconds()?,
            "rows": trained.run.tags["rows"].parse::<u64>()?,
            "peak_rss_mib": peak_rss_mib()?,
        });
        for metric in trained.run.metrics.iter().filter(|metric| metric.step == 0) {
            results[&metric.name] = metric.value.into();
        }
        println!("{results}");
    } else {
        // `cargo test --benches` passes no arguments.
        eprintln!(
            "nothing to do: give --make LAKE --days N --coins N, or --lake LAKE [--export FOLDER]"
        );
    }
    Ok(())
}

/// Writes a lake of a field market that is delivered without faults, a file a day.
fn make(lake: &Path, days: u32, coins: usize) {
    let market = FieldMarket::new(FieldSettings {
        coins,
        minutes: days * 1_440,
        faults: Faults::NONE,
        ..FieldSettings::default()
    });
    let (mut steps, mut step) = (market.steps(), Step::default());
    let mut cleaner = Cleaner::new(CleanParams::default());
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let (mut offset, mut written, mut day) = (0, 0, Vec::new());
    while steps.next_into(&mut step) {
        for element in step.elements() {
            let input = Input {
                offset,
                timestamp_ms: step.time_ms,
                key: element.key.map(|key| key.as_bytes()),
                value: element.json,
            };
            offset += 1;
            let Ok(clean) = cleaner.clean(&input) else {
                continue;
            };
            let row = featurizer.row(clean);
            day.push(FeatureRow {
                coin: row.clean.coin.to_string(),
                event_time: row.clean.event_time,
                price: row.clean.price,
                volume: 0.0, // of the tests' markets
                windows: row.windows,
            });
        }
        if day.len() >= 1_440 * coins {
            write(lake, written, &day, &[]);
            written += day.len();
            day.clear();
        }
    }
    if !day.is_empty() {
        write(lake, written, &day, &[]);
    }
}

/// What this process has taken of the processor.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let mut ticks = 0.0;
    for field in fields.split_ascii_whitespace().skip(11).take(2) {
        ticks += field.parse::<f64>()?;
    }
    Ok(ticks / 100.0)
}

/// The most memory that this process has held.
fn peak_rss_mib() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next());
    Ok(kib
        .ok_or("/proc/self/status has no VmHWM")?
        .parse::<f64>()?
        / 1024.0)
}
