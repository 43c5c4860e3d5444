//! `cargo xtask bench`: Coinlake beside its peers, on the same input in the same run, as a table.
//!
//! Each topic is a file here: it measures, and gives lines for the table. Ratios count, not absolutes; whoever adds a topic
//! lets both sides take the fastest of some runs, because a busy machine only ever slows one down.

mod models;
mod modules;
mod python;
mod table;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::{cargo, run, smartmodules, target_dir};
use modules::Throughput;
use table::Line;

#[derive(Args)]
pub struct BenchArgs {
    /// What to measure; everything unless told otherwise
    topics: Vec<Topic>,
    /// The market to measure on; the made-up one unless told otherwise
    #[arg(long, conflicts_with = "lake")]
    recording: Option<PathBuf>,
    /// A lake that is there already, instead of one that the demo makes for the purpose
    #[arg(long)]
    lake: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// The SmartModules in Fluvio's engine, beside a module that does nothing
    Modules,
    /// Fitting and asking the models, beside scikit-learn
    Models,
}

/// Measures, and prints the table. Fails when a target is missed.
pub fn bench(args: &BenchArgs) -> Result<()> {
    let topics = match args.topics.is_empty() {
        true => Topic::value_variants(),
        false => &args.topics,
    };
    let bench = Bench {
        recording: args.recording.clone(),
        lake: args.lake.clone(),
        throughput: OnceCell::new(),
    };
    let mut lines: Vec<Line> = Vec::new();
    for topic in topics {
        lines.extend(match topic {
            Topic::Modules => modules::measure(&bench)?,
            Topic::Models => models::measure(&bench)?,
        });
    }
    print!("{}", table::table(&lines));
    match lines.iter().filter(|line| line.missed()).count() {
        0 => Ok(()),
        missed => bail!("{missed} of {} targets missed", lines.len()),
    }
}

/// What topics share.
struct Bench {
    recording: Option<PathBuf>,
    lake: Option<PathBuf>,
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

    /// A lake to measure on.
    fn lake(&self) -> Result<PathBuf> {
        if let Some(lake) = &self.lake {
            return Ok(lake.clone());
        }
        smartmodules::build()?;
        cargo(&["build", "--release", "--package", "coinlake"])?;
        let data = self.folder().join("data");
        // From nothing: what an earlier run left may be of another market.
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        let mut demo = Command::new(target_dir().join("release/coinlake"));
        demo.args(["demo", "--speed", "max", "--exit", "--data"])
            .arg(&data);
        if let Some(recording) = &self.recording {
            demo.arg("--recording").arg(recording);
        }
        run(&mut demo)?;
        Ok(data.join("lake"))
    }
}
