//! A virtual environment for each peer that needs Python.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process::run;

/// The interpreter of an environment with the packages of a requirements file.
pub(super) struct Python(PathBuf);

impl Python {
    /// Creates the environment in `folder`, unless it exists with the same requirements.
    pub(super) fn with(folder: &Path, requirements: &Path) -> Result<Self> {
        let python = folder.join("bin/python");
        let installed = folder.join("requirements.txt");
        let wanted = fs::read(requirements)
            .with_context(|| format!("cannot read {}", requirements.display()))?;
        if fs::read(&installed).is_ok_and(|installed| installed == wanted) {
            return Ok(Self(python));
        }
        eprintln!(
            "installing {} for Python",
            String::from_utf8_lossy(&wanted).replace('\n', " ")
        );
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("the peers need Python 3 with venv (Debian: python3-venv)")?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(requirements)
            .stdout(Stdio::null()))?;
        fs::write(&installed, &wanted)?;
        Ok(Self(python))
    }

    /// A command that runs a script; the caller adds arguments.
    pub(super) fn script(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command
            .arg(script)
            // These may pin numpy to slow kernels; the peer should run at its best.
            .env_remove("OPENBLAS_CORETYPE")
            .env_remove("OPENBLAS_L2_SIZE");
        command
    }
}
