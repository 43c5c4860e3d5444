//! Developer commands: `cargo xtask ...`. Nothing here is needed at run time.
//!
//! - `tasks`: demo, test, k8s, lint.
//! - `docs`: writes or checks the pages of docs/ that are made from the code.
//! - `dist`: packs what a release carries.
//! - `smartmodules`, `wasm_toolchain`: builds the SmartModules.
//! - `kubernetes`: checks k8s/.
//! - `bench`: measures Coinlake beside its peers.
//! - `faults`: fault injection, soak and fuzzing.
//! - `process`: starts programs.

mod bench;
mod dist;
mod docs;
mod faults;
mod kubernetes;
mod process;
mod smartmodules;
mod tasks;
mod wasm_toolchain;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Coinlake's developer commands")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and run `coinlake demo`; further arguments go to the demo
    #[command(disable_help_flag = true)]
    Demo {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the SmartModules, run every test and check k8s/; arguments go to `cargo test`, and k8s/ is not checked then
    #[command(disable_help_flag = true)]
    Test {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the SmartModules into target/smartmodules/
    Smartmodules,
    /// Check k8s/: manifests, compose file and image
    K8s,
    /// Check the format and run clippy; warnings are errors
    Lint,
    /// Pack what a release carries into target/dist: commands, SmartModules, man pages, licences, checksums
    Dist(dist::DistArgs),
    /// Write docs/configuration.md, docs/metrics.md, docs/tables.md and docs/schemas
    Docs {
        /// Write nothing; fail when one of them is stale
        #[arg(long)]
        check: bool,
    },
    /// Measure Coinlake beside its peers and print a table; fails when a target is missed
    Bench(bench::BenchArgs),
    /// Run the long fault-injection tests: network, store, clock, market, payloads
    Faults(faults::FaultsArgs),
    /// Kill the demo, and each process of a platform, many times; compare the data with an uninterrupted run's
    Crash {
        /// How many kills of each kind
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// The same seed kills at the same moments
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run the platform for a day of market; fails when memory, open files or latency grow
    Soak(faults::SoakArgs),
    /// Fuzz everything that reads bytes from outside
    Fuzz(faults::FuzzArgs),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Task::Demo { args } => tasks::demo(&args),
        Task::Test { args } => tasks::test(&args),
        Task::Smartmodules => smartmodules::build(),
        Task::K8s => tasks::k8s(),
        Task::Lint => tasks::lint(),
        Task::Dist(args) => dist::dist(&args),
        Task::Docs { check } => docs::docs(check),
        Task::Bench(args) => bench::bench(&args),
        Task::Faults(args) => faults::faults(&args),
        Task::Crash { rounds, seed } => faults::crash(rounds, seed),
        Task::Soak(args) => faults::soak(&args),
        Task::Fuzz(args) => faults::fuzz(&args),
    }
}
