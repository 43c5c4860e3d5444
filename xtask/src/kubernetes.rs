//! Checks of `k8s/`: its manifests, its compose file and the file system of its image.
//!
//! They are Python, because the schemas of Kubernetes come as a Python package. A check whose tool is missing says so and
//! is skipped.

use std::env;
use std::process::Command;

use anyhow::Result;

use crate::process::{run, workspace};

/// Runs all checks.
pub(crate) fn check() -> Result<()> {
    let python = env::var("COINLAKE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if Command::new(&python).arg("--version").output().is_err() {
        eprintln!("skipped the checks of k8s/: {python} is missing");
        return Ok(());
    }
    run(Command::new(&python)
        .current_dir(workspace().join("k8s/tests"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["-m", "unittest", "--verbose"]))
}
