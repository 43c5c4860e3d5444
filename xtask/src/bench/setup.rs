//! What all topics measure with: the built command, a lake, the benches.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::build::Build;
use super::throughput::Throughput;
use crate::process::{cargo, run, target_dir, workspace};
use crate::smartmodules;

/// Where the topics find what they measure with.
pub(super) struct Setup {
    recording: Option<PathBuf>,
    lake: Option<PathBuf>,
    /// A profile of the fluvio client, to measure on a cluster too.
    pub(super) profile: Option<String>,
    build: Build,
    /// Measured on first use.
    throughput: OnceCell<Throughput>,
}

impl Setup {
    pub(super) fn new(
        recording: Option<PathBuf>,
        lake: Option<PathBuf>,
        profile: Option<String>,
        build: Build,
    ) -> Self {
        Self {
            recording,
            lake,
            profile,
            build,
            throughput: OnceCell::new(),
        }
    }

    pub(super) fn throughput(&self) -> Result<&Throughput> {
        if self.throughput.get().is_none() {
            let _ = self.throughput.set(Throughput::measure(self.build)?);
        }
        Ok(self.throughput.get().expect("it was just set"))
    }

    /// Where inputs, outputs and Python environments are stored.
    pub(super) fn folder(&self) -> PathBuf {
        target_dir().join("bench")
    }

    /// The built command, with the SmartModules beside it.
    pub(super) fn coinlake(&self) -> Result<PathBuf> {
        smartmodules::build()?;
        cargo(&["build", self.build.option(), "--package", "coinlake"])?;
        Ok(self.build.folder().join("coinlake"))
    }

    /// The lake to train models on; made by the demo unless one is named.
    pub(super) fn lake(&self) -> Result<PathBuf> {
        if let Some(lake) = &self.lake {
            return Ok(lake.clone());
        }
        let data = self.folder().join("data");
        // An earlier run may have left another market.
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let mut demo = Command::new(self.coinlake()?);
        demo.args(["demo", "--speed", "max", "--exit", "--data"])
            .arg(&data);
        if let Some(recording) = &self.recording {
            demo.arg("--recording").arg(recording);
        }
        run(&mut demo)?;
        Ok(data.join("lake"))
    }

    /// A command that runs a `[[bench]]`; the caller adds arguments. `--workspace` reuses the dependencies built for the tests.
    pub(super) fn bench_target(&self, name: &str) -> Result<Command> {
        let bench = ["bench", "--quiet", self.build.option()];
        let name = ["--workspace", "--bench", name];
        cargo(&[&bench[..], &name, &["--no-run"]].concat())?;
        let mut command = Command::new("cargo");
        command.current_dir(workspace());
        command.args(bench).args(name).arg("--");
        Ok(command)
    }

    /// What a test measures and writes to the file that it is told.
    pub(super) fn figures(
        &self,
        name: &str,
        test: impl FnOnce() -> Result<Command>,
    ) -> Result<Value> {
        fs::create_dir_all(self.folder())?;
        let file = self.folder().join(format!("{name}.json"));
        run(test()?
            .env("COINLAKE_BENCH_FIGURES", &file)
            .stdout(Stdio::null()))?;
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// A number by its name.
pub(super) fn figure(of: &Value, name: &str) -> Result<f64> {
    let value = of[name].as_f64();
    value.with_context(|| format!("{name} was not measured"))
}

/// Runs a command and parses the last line of its stdout as JSON.
pub(super) fn json_output(command: &mut Command) -> Result<Value> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let args: Vec<_> = command
            .get_args()
            .map(|arg| arg.to_string_lossy())
            .collect();
        bail!("{name} {} failed: {}", args.join(" "), output.status);
    }
    let mut lines = output.stdout.trim_ascii_end().split(|byte| *byte == b'\n');
    serde_json::from_slice(lines.next_back().unwrap_or_default())
        .with_context(|| format!("{name} printed no JSON on its last line"))
}
