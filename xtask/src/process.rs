//! Starts programs, and knows where the workspace and its build output are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, Result, bail, ensure};

/// The folder of the workspace's Cargo.toml.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// The profile of the demo, the tests and the lints: it compiles in half the time of a release.
pub(crate) const QUICK: &str = "quick";
/// [`QUICK`] as an option of cargo.
pub(crate) const QUICK_OPTION: &str = "--profile=quick";

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    // As cargo, which runs in the workspace, takes a relative one.
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A program that cargo built with [`QUICK_OPTION`].
pub(crate) fn program(name: &str) -> PathBuf {
    target_dir().join(QUICK).join(name)
}

/// Runs cargo in the workspace.
pub(crate) fn cargo(args: &[&str]) -> Result<()> {
    run(Command::new("cargo").current_dir(workspace()).args(args))
}

/// Runs a command and waits; an error if it cannot start or exits with a failure.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("cannot start {name}: is it installed and on the PATH?"))?;
    if !status.success() {
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        bail!("{name} {} failed: {status}", args.join(" "));
    }
    Ok(())
}

/// What a command prints; an error if it cannot start or exits with a failure.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command
        .output()
        .with_context(|| format!("cannot start {name}: is it installed and on the PATH?"))?;
    ensure!(
        done.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(done.stdout)
}

/// A process that is killed on drop.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
