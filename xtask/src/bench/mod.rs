//! `cargo xtask bench`: Coinlake beside its peers, on the same input in the same run, as a table.
//!
//! Each topic is a file here: it measures, and gives lines for the table. Ratios count, not absolutes; whoever adds a topic
//! lets both sides take the fastest of some runs, because a busy machine only ever slows one down. A topic that cannot be
//! measured is told below the table, which the others still fill.

mod catch_up;
mod models;
mod modules;
mod parquet;
mod platform;
mod python;
mod table;

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::{cargo, run, smartmodules, target_dir, workspace};
use modules::Throughput;
use table::Line;

#[derive(Args)]
pub struct BenchArgs {
    /// What to measure; everything unless told otherwise
    topics: Vec<Topic>,
    /// The market to learn models on; the made-up one unless told otherwise
    #[arg(long, conflicts_with = "lake")]
    recording: Option<PathBuf>,
    /// A lake to learn models on that is there already, instead of one that the demo makes for the purpose
    #[arg(long)]
    lake: Option<PathBuf>,
    /// Catch up on this Fluvio cluster too: a profile of the fluvio client
    #[arg(long, value_name = "NAME", env = "COINLAKE_TEST_CLUSTER")]
    profile: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// The stages on records that lie in crypto-raw, beside PySpark
    CatchUp,
    /// The SmartModules in Fluvio's engine, beside a module that does nothing
    Modules,
    /// The running platform: latency, memory, start
    Platform,
    /// Parquet files, beside pyarrow and Polars
    Parquet,
    /// Fitting and asking the models, beside scikit-learn
    Models,
}

/// Measures, and prints the table. Fails when a target is missed or something could not be measured.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let topics = match args.topics.is_empty() {
        true => Topic::value_variants(),
        false => &args.topics,
    };
    let bench = Bench {
        recording: args.recording.clone(),
        lake: args.lake.clone(),
        profile: args.profile.clone(),
        throughput: OnceCell::new(),
    };
    let mut lines: Vec<Line> = Vec::new();
    let mut failures = Vec::new();
    for topic in topics {
        let started = Instant::now();
        let measured = match topic {
            Topic::CatchUp => catch_up::measure(&bench),
            Topic::Modules => modules::measure(&bench),
            Topic::Platform => platform::measure(&bench),
            Topic::Parquet => parquet::measure(&bench),
            Topic::Models => models::measure(&bench),
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

/// What topics share.
struct Bench {
    recording: Option<PathBuf>,
    lake: Option<PathBuf>,
    profile: Option<String>,
    /// Measured when it is first asked for.
    throughput: OnceCell<Throughput>,
}

impl Bench {
    fn throughput(&self) -> Result<&Throughput> {
        if self.throughput.get().is_none() {
            let _ = self.throughput.set(Throughput::measure()?);
        }
        Ok(self.throughput.get().expect("it was just set"))
    }

    /// Where what is measured on is kept.
    fn folder(&self) -> PathBuf {
        target_dir().join("bench")
    }

    /// The built command, SmartModules beside it.
    fn coinlake(&self) -> Result<PathBuf> {
        smartmodules::build()?;
        cargo(&["build", "--release", "--package", "coinlake"])?;
        Ok(target_dir().join("release/coinlake"))
    }

    /// A lake to measure on.
    fn lake(&self) -> Result<PathBuf> {
        if let Some(lake) = &self.lake {
            return Ok(lake.clone());
        }
        let data = self.folder().join("data");
        // From nothing: what an earlier run left may be of another market.
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let mut demo = Command::new(self.coinlake()?);
        demo.args(["demo", "--speed", "max", "--exit", "--data"])
            .arg(&data);
        if let Some(recording) = &self.recording {
            demo.arg("--recording").arg(recording);
        }
        run(&mut demo)?;
        Ok(data.join("lake"))
    }
}

/// A `[[bench]]` of the workspace, its arguments to be added. With all of the workspace, so that it is built with the
/// dependencies that the tests have too.
fn target(name: &str) -> Result<Command> {
    cargo(&[
        "bench",
        "--quiet",
        "--workspace",
        "--bench",
        name,
        "--no-run",
    ])?;
    let mut command = Command::new("cargo");
    command.current_dir(workspace()).args([
        "bench",
        "--quiet",
        "--workspace",
        "--bench",
        name,
        "--",
    ]);
    Ok(command)
}

/// Runs what prints one JSON object on stdout.
fn json_said_by(command: &mut Command) -> Result<Value> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        bail!("{name} {} failed: {}", args.join(" "), output.status);
    }
    let mut lines = output.stdout.trim_ascii_end().split(|byte| *byte == b'\n');
    serde_json::from_slice(lines.next_back().unwrap_or_default())
        .with_context(|| format!("{name} did not say what it measured"))
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
