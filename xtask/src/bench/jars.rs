//! Jars of the peers that run on Java, from Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::run;

/// The folder with the jars of a pom. They are copied to `folder` unless they are there for the same pom.
pub(super) fn jars(folder: &Path, pom: &Path) -> Result<PathBuf> {
    let jars = folder.join("jars");
    let copied = folder.join("pom.xml");
    let wanted = fs::read(pom).with_context(|| format!("cannot read {}", pom.display()))?;
    if !fs::read(&copied).is_ok_and(|copied| copied == wanted) {
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "--file"]).arg(pom);
        maven.arg("dependency:copy-dependencies");
        maven.arg(format!("-DoutputDirectory={}", jars.display()));
        run(&mut maven).context("jars come by Maven (Debian: maven)")?;
        fs::write(&copied, &wanted)?;
    }
    Ok(jars)
}
