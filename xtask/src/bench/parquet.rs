//! The features layer written as Parquet, beside pyarrow and Polars on the same rows, one core each.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::python::Python;
use super::setup::{Setup, json_output};
use super::table::{Line, Target};
use crate::process::workspace;

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let scripts = workspace().join("connectors/parquet-sink/bench");
    let python = Python::with(
        &setup.folder().join("python-parquet"),
        &scripts.join("layer_requirements.txt"),
    )?;
    fs::create_dir_all(setup.folder())?;
    let file = setup.folder().join("features.parquet");
    let ours = json_output(setup.bench_target("layer")?.arg("--out").arg(&file))?;
    let peers = json_output(python.script(&scripts.join("layer.py")).arg(&file))?;

    let rate = |of: &Value, name: &str| {
        let rate = of[name].as_f64();
        rate.with_context(|| format!("{name} was not measured"))
    };
    let ours = rate(&ours, "encode_rows_per_second")?;
    let line = |name: &str, target: Target| -> Result<Line> {
        let peer = &peers[name.to_lowercase()];
        let version = peer["version"].as_str().unwrap_or_default();
        let theirs = rate(peer, "rows_per_second")?;
        Ok(Line {
            what: "features layer to Parquet, zstd, one core".to_owned(),
            ours: format!("{ours:.0} rows/s"),
            peer: format!("{name} {version}: {theirs:.0} rows/s"),
            ratio: ours / theirs,
            target,
        })
    };
    Ok(vec![
        line("pyarrow", Target::AtLeast(1.0))?,
        line("Polars", Target::None)?,
    ])
}
