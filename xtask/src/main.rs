//! Developer commands: `cargo xtask ...`.
//!
//! `demo` and `test` are the two commands of the README; the others are the steps they are made of and the longer
//! checks. Nothing here is needed at run time.

mod bench;
mod faults;
mod kubernetes;
mod smartmodules;
mod wasm_toolchain;

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Coinlake's developer commands")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and run `coinlake demo` with the arguments that follow
    #[command(disable_help_flag = true)]
    Demo {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build everything and run every test; the arguments that follow go to `cargo test`
    #[command(disable_help_flag = true)]
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the SmartModules into target/smartmodules/
    Smartmodules,
    /// Check what k8s/ holds: manifests, compose file, image
    K8s,
    /// Check the format and run clippy with warnings as errors
    Lint,
    /// Measure Coinlake beside its peers and print a table; fails when a target is missed
    Bench(bench::BenchArgs),
    /// Try for long what goes wrong: networks, stores, clocks, markets, payloads
    Faults(faults::FaultsArgs),
    /// Kill the demo, and each process of a platform, many times, and compare what they left with an uninterrupted run
    Crash {
        /// How many times to kill and restart
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// Draws the same kills again
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run the platform for a day of market: memory, open files and latency must stay what they are
    Soak(faults::SoakArgs),
    /// Fuzz everything that reads bytes from outside
    Fuzz(faults::FuzzArgs),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Task::Demo { args } => demo(&args),
        Task::Test { args } => test(&args),
        Task::Smartmodules => smartmodules::build(),
        Task::K8s => k8s(),
        Task::Lint => lint(),
        Task::Bench(args) => bench::bench(&args),
        Task::Faults(args) => faults::faults(&args),
        Task::Crash { rounds, seed } => faults::crash(rounds, seed),
        Task::Soak(args) => faults::soak(&args),
        Task::Fuzz(args) => faults::fuzz(&args),
    }
}

fn demo(args: &[String]) -> Result<()> {
    smartmodules::build()?;
    cargo(&["build", "--release", "--package", "coinlake"])?;
    // exec, so that Ctrl-C and the exit code are the demo's own.
    let error = Command::new(target_dir().join("release/coinlake"))
        .arg("demo")
        .args(args)
        .exec();
    Err(error).context("cannot start target/release/coinlake")
}

fn test(args: &[String]) -> Result<()> {
    smartmodules::build()?;
    let mut all = vec!["test", "--release", "--workspace"];
    all.extend(args.iter().map(String::as_str));
    cargo(&all)?;
    // Who names tests means those. The commands that go into the image were built for the tests.
    if args.is_empty() {
        kubernetes::check()?;
    }
    Ok(())
}

fn k8s() -> Result<()> {
    smartmodules::build()?;
    cargo(&[
        "build",
        "--release",
        "--package=coinlake",
        "--package=coingecko-source",
        "--package=parquet-sink",
    ])?;
    kubernetes::check()
}

fn lint() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])
}

/// The folder of the workspace's Cargo.toml.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn cargo(args: &[&str]) -> Result<()> {
    run(Command::new("cargo").current_dir(workspace()).args(args))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        bail!("{name} {} failed: {status}", args.join(" "));
    }
    Ok(())
}
