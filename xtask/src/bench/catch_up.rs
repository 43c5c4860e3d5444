//! The stages raw, clean, features and alerts catch up on the same records as a PySpark job.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::python::Python;
use super::setup::{Setup, bench_target, json_output};
use super::table::{Line, Target};
use crate::process::workspace;
use crate::smartmodules;

const RECORDS: &str = "1000000";

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let folder = setup.folder().join("catch-up");
    let input = folder.join("input");
    fs::create_dir_all(&folder)?;
    let scripts = workspace().join("connectors/parquet-sink/bench");
    let python = Python::with(
        &setup.folder().join("python-spark"),
        &scripts.join("catch_up_requirements.txt"),
    )?;
    smartmodules::build()?;

    let ours = |profile: Option<&str>| -> Result<Value> {
        let mut ours = bench_target("catch_up")?;
        ours.arg("--input").arg(&input).args(["--records", RECORDS]);
        if let Some(profile) = profile {
            ours.args(["--profile", profile]);
        }
        json_output(&mut ours)
    };
    let embedded = ours(None)?;
    let cluster = match &setup.profile {
        Some(profile) => Some((profile, ours(Some(profile))?)),
        None => None,
    };
    // Spark's output is as large as the input.
    let output = folder.join("spark");
    let mut script = python.script(&scripts.join("catch_up.py"));
    let peer = json_output(script.arg(&input).arg(&output))
        .context("PySpark needs a Java runtime, 8 to 17 (Debian: openjdk-17-jre-headless)")?;
    fs::remove_dir_all(&output)?;

    let mut lines = vec![line("the embedded broker", &embedded, &peer)?];
    if let Some((profile, ours)) = cluster {
        lines.push(line(&format!("Fluvio cluster {profile}"), &ours, &peer)?);
    }
    Ok(lines)
}

fn line(on: &str, ours: &Value, peer: &Value) -> Result<Line> {
    for layer in ["raw", "clean", "features"] {
        let (a, b) = (&ours["rows"][layer], &peer["rows"][layer]);
        ensure!(a == b, "{layer}: Coinlake has {a} rows, PySpark {b}");
    }
    let rate = |of: &Value| {
        let rate = of["records"].as_f64().zip(of["seconds"].as_f64());
        rate.map(|(records, seconds)| records / seconds)
            .context("the output has no records or seconds")
    };
    let (ours, theirs) = (rate(ours)?, rate(peer)?);
    let version = peer["pyspark"].as_str().unwrap_or_default();
    Ok(Line {
        what: format!("catch-up, crypto-raw to raw+clean+features+alerts, {on}"),
        ours: format!("{ours:.0} events/s"),
        peer: format!("PySpark {version} local[2]: {theirs:.0} events/s"),
        ratio: ours / theirs,
        target: Target::AtLeast(10.0),
    })
}
