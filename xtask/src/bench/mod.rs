//! `cargo xtask bench`: Coinlake beside its peers, on the same input in the same run, as a table.
//!
//! Each topic is a file that measures and returns lines of the table. Ratios count, not absolutes: both sides take the
//! fastest of several runs, because a busy machine only slows a run down. A topic that cannot be measured is reported
//! below the table; the others still fill it.

mod build;
mod catch_up;
mod jars;
mod kafka;
mod living;
mod models;
mod modules;
mod parquet;
mod platform;
mod python;
mod setup;
mod soak;
mod table;
mod throughput;
mod training;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use self::build::Build;
use self::setup::Setup;
use self::table::Line;

/// What to measure, and on which data.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// What to measure [default: all of it, one after the other, in one table]
    topics: Vec<Topic>,
    /// The recording to train models on [default: the synthetic market]
    #[arg(long, conflicts_with = "lake")]
    recording: Option<PathBuf>,
    /// An existing lake to train models on, instead of one that the demo creates
    #[arg(long)]
    lake: Option<PathBuf>,
    /// Measure catch-up on a Fluvio cluster too: a profile of the fluvio client
    #[arg(long, value_name = "NAME", env = "COINLAKE_TEST_CLUSTER")]
    profile: Option<String>,
    /// Measure what the tests compile: a release takes long to compile, and catches up a tenth faster
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// The stages catching up on crypto-raw, compared with PySpark on Kafka and on files
    CatchUp,
    /// The SmartModules in Fluvio's engine, compared with a module that does nothing
    Modules,
    /// The running platform: latency, memory, time to the first alert
    Platform,
    /// Writing Parquet files, compared with pyarrow and Polars
    Parquet,
    /// Model training and inference, compared with scikit-learn
    Models,
    /// Training on a fortnight of 250 coins, compared with scikit-learn
    Training,
    /// A platform at rest: processor and memory
    Living,
    /// Memory over a day of market, in 24 minutes
    Soak,
}

/// Measures and prints the table. Fails when a target is missed or a topic cannot be measured.
pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let topics = match args.topics.is_empty() {
        true => Topic::value_variants(),
        false => &args.topics,
    };
    let setup = Setup::new(
        args.recording.clone(),
        args.lake.clone(),
        args.profile.clone(),
        match args.quick {
            true => Build::Quick,
            false => Build::Release,
        },
    );
    let mut lines: Vec<Line> = Vec::new();
    let mut failures = Vec::new();
    for topic in topics {
        let started = Instant::now();
        let measured = match topic {
            Topic::CatchUp => catch_up::measure(&setup),
            Topic::Modules => modules::measure(&setup),
            Topic::Platform => platform::measure(&setup),
            Topic::Parquet => parquet::measure(&setup),
            Topic::Models => models::measure(&setup),
            Topic::Training => training::measure(&setup),
            Topic::Living => living::measure(&setup),
            Topic::Soak => soak::measure(&setup),
        };
        match measured {
            Ok(measured) => lines.extend(measured),
            Err(error) => failures.push(format!("{topic:?} was not measured: {error:#}")),
        }
        eprintln!("{topic:?}: {:.0} s", started.elapsed().as_secs_f64());
    }
    print!("{}", table::table(&lines));
    println!("\nMeasured on {}.", machine());
    for failure in &failures {
        eprintln!("{failure}");
    }
    let missed = lines.iter().filter(|line| line.missed()).count();
    ensure!(
        failures.is_empty() && missed == 0,
        "{missed} of {} targets missed, {} topics not measured",
        lines.len(),
        failures.len()
    );
    Ok(())
}

/// Processor and cores.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("an unknown processor", |model| {
        model.trim_matches(['\t', ' ', ':'])
    });
    format!("{cores} cores of {model}")
}
