//! `cargo xtask docs`: docs/configuration.md, docs/metrics.md, docs/tables.md and docs/schemas.
//!
//! The generators are the tests `configuration`, `metrics` and `tables` in `tests/tidy`, so that their parsers are compiled for tests only.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{QUICK_OPTION, run, workspace};

/// Tells the tests to write the files.
const UPDATE: &str = "COINLAKE_UPDATE_DOCS";

/// Writes the files; with `check` only compares them.
pub(crate) fn docs(check: bool) -> Result<()> {
    let mut test = Command::new("cargo");
    test.current_dir(workspace())
        .args(["test", "--quiet", QUICK_OPTION, "--package", "xtask"])
        .args([
            "--test",
            "tidy",
            "--",
            "configuration::",
            "metrics::",
            "tables::",
        ])
        .env_remove(UPDATE);
    if !check {
        test.env(UPDATE, "docs");
    }
    run(&mut test).context("a page of docs/ is stale (run `cargo xtask docs`) or cannot be made")
}
