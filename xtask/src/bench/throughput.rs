//! The output of the example `throughput`: every SmartModule in Fluvio's engine, beside a module that does nothing.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::build::Build;
use crate::process::cargo;
use crate::smartmodules;

/// What the example printed.
pub(super) struct Throughput(String);

impl Throughput {
    /// Builds the modules and runs the example.
    pub(super) fn measure(build: Build) -> Result<Self> {
        smartmodules::build_with_do_nothing()?;
        // `--workspace` reuses the dependencies built for the tests.
        cargo(&[
            "build",
            build.option(),
            "--quiet",
            "--workspace",
            "--example",
            "throughput",
        ])?;
        let output = Command::new(build.folder().join("examples/throughput"))
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start the throughput example")?;
        ensure!(
            output.status.success(),
            "the throughput example of testing/harness failed: {}",
            output.status
        );
        Ok(Self(String::from_utf8(output.stdout)?))
    }

    /// Records a second of a module, and of the module that does nothing.
    pub(super) fn records_per_second(&self, module: &str) -> Result<(f64, f64)> {
        let line = self.line(module, " records/s, doing nothing ")?;
        let (ours, nothing) = line
            .split_once(" records/s, doing nothing ")
            .unwrap_or_default();
        let (nothing, _) = nothing.split_once(':').unwrap_or_default();
        Ok((last_number(ours)?, last_number(nothing)?))
    }

    /// The last number before `unit` in a module's section.
    pub(super) fn number_before(&self, module: &str, unit: &str) -> Result<f64> {
        let line = self.line(module, unit)?;
        last_number(line.split(unit).next().unwrap_or_default())
    }

    /// The number after `name` in a module's section.
    pub(super) fn number_after(&self, module: &str, name: &str) -> Result<f64> {
        let rest = self.line(module, name)?.split(name).nth(1);
        let word = rest.and_then(|rest| rest.split_whitespace().next());
        last_number(word.unwrap_or_default())
    }

    fn line(&self, module: &str, holds: &str) -> Result<&str> {
        let head = format!("{module}: ");
        let mut section = self
            .0
            .lines()
            .skip_while(|line| !line.starts_with(&head))
            .skip(1);
        let mut lines = section.by_ref().take_while(|line| line.starts_with(' '));
        lines
            .find(|line| line.contains(holds))
            .with_context(|| format!("the throughput example printed no `{holds}` for {module}"))
    }
}

fn last_number(text: &str) -> Result<f64> {
    let word = text.split_whitespace().last().unwrap_or_default();
    word.parse()
        .with_context(|| format!("`{word}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_the_section_of_their_module() {
        let said = Throughput(
            "crypto-features: 300 bytes a record in\n  crypto-features    500000 records/s, doing nothing    480000: \
             1.04x\ncrypto-predict: 742 bytes a record in\n  100 trees          300000 records/s, doing nothing    \
             400000: 0.75x\n  1 node             600000 records/s, doing nothing    400000: 1.50x\n  inference alone    \
             700000 rows/s in wasm,   1300000 natively\n  one record at a time: p50 12 µs, p99 34 µs\n"
                .to_owned(),
        );
        let predict = "crypto-predict";
        assert_eq!(
            said.records_per_second("crypto-features").unwrap(),
            (500_000.0, 480_000.0)
        );
        assert_eq!(
            said.records_per_second(predict).unwrap(),
            (300_000.0, 400_000.0)
        );
        assert_eq!(
            said.number_before(predict, " rows/s in wasm").unwrap(),
            700_000.0
        );
        assert_eq!(said.number_after(predict, "p99").unwrap(), 34.0);
        assert!(said.records_per_second("crypto-clean").is_err());
    }
}
