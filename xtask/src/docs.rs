//! `cargo xtask docs`: docs/configuration.md.
//!
//! The generator is the test `tests/tidy/configuration`, so that its parser of Rust is compiled for tests only.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{QUICK_OPTION, run, workspace};

/// Tells the test to write the file.
const UPDATE: &str = "COINLAKE_UPDATE_DOCS";

/// Writes the file; with `check` only compares it.
pub(crate) fn docs(check: bool) -> Result<()> {
    let mut test = Command::new("cargo");
    test.current_dir(workspace())
        .args(["test", "--quiet", QUICK_OPTION, "--package", "xtask"])
        .args(["--test", "tidy", "configuration::"])
        .env_remove(UPDATE);
    if !check {
        test.env(UPDATE, "docs");
    }
    run(&mut test).context("docs/configuration.md is stale or cannot be made")
}
