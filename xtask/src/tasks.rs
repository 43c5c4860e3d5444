//! The short commands: each is a few calls of cargo.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::kubernetes;
use crate::process::{QUICK_OPTION, cargo, program};
use crate::smartmodules;

/// `cargo xtask demo`.
pub(crate) fn demo(args: &[String]) -> Result<()> {
    smartmodules::build()?;
    cargo(&["build", QUICK_OPTION, "--package", "coinlake"])?;
    // exec, so that Ctrl-C and the exit code are the demo's own.
    let coinlake = program("coinlake");
    let error = Command::new(&coinlake).arg("demo").args(args).exec();
    Err(error).with_context(|| format!("cannot start {}", coinlake.display()))
}

/// `cargo xtask test`.
pub(crate) fn test(args: &[String]) -> Result<()> {
    smartmodules::build()?;
    // One run names every failure, not only the first program's.
    let mut all = vec!["test", QUICK_OPTION, "--workspace", "--no-fail-fast"];
    all.extend(args.iter().map(String::as_str));
    cargo(&all)?;
    // With arguments only the named tests run. The image's commands are built by the tests.
    if args.is_empty() {
        kubernetes::check()?;
    }
    Ok(())
}

/// `cargo xtask k8s`.
pub(crate) fn k8s() -> Result<()> {
    smartmodules::build()?;
    cargo(&[
        "build",
        QUICK_OPTION,
        "--package=coinlake",
        "--package=coingecko-source",
        "--package=parquet-sink",
    ])?;
    kubernetes::check()
}

/// `cargo xtask lint`.
pub(crate) fn lint() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        QUICK_OPTION,
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ])
}
