//! Python for the peers that need it, in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::run;

/// A Python that has what a requirements file asks for.
pub struct Python(PathBuf);

impl Python {
    /// Makes the environment in `folder` unless it is there with the same requirements.
    pub fn with(folder: &Path, requirements: &Path) -> Result<Self> {
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
            .context("Python 3 with venv is needed for the peers (Debian: python3-venv)")?;
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

    /// A script, its arguments to be added.
    pub fn script(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.0);
        command
            .arg(script)
            // A machine may pin the kernels that numpy's linear algebra uses to slow ones; the peer is to be at its best.
            .env_remove("OPENBLAS_CORETYPE")
            .env_remove("OPENBLAS_L2_SIZE");
        command
    }
}
