//! The stages raw, clean, features and alerts catching up on the same records as PySpark's job.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::python::Python;
use super::table::{Line, Target};
use super::{Bench, json_said_by, target};
use crate::{smartmodules, workspace};

const RECORDS: &str = "1000000";

pub fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let folder = bench.folder().join("catch-up");
    let input = folder.join("input");
    fs::create_dir_all(&folder)?;
    let scripts = workspace().join("connectors/parquet-sink/bench");
    let python = Python::with(
        &bench.folder().join("python-spark"),
        &scripts.join("catch_up_requirements.txt"),
    )?;
    smartmodules::build()?;

    let ours = |profile: Option<&str>| -> Result<Value> {
        let mut ours = target("catch_up")?;
        ours.arg("--input").arg(&input).args(["--records", RECORDS]);
        if let Some(profile) = profile {
            ours.args(["--profile", profile]);
        }
        json_said_by(&mut ours)
    };
    let embedded = ours(None)?;
    let cluster = match &bench.profile {
        Some(profile) => Some((profile, ours(Some(profile))?)),
        None => None,
    };
    // What Spark leaves is as large as the input.
    let output = folder.join("spark");
    let mut script = python.script(&scripts.join("catch_up.py"));
    let peer = json_said_by(script.arg(&input).arg(&output))
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
        ensure!(a == b, "{layer} has {a} rows here and {b} rows there");
    }
    let rate = |of: &Value| {
        let rate = of["records"].as_f64().zip(of["seconds"].as_f64());
        rate.map(|(records, seconds)| records / seconds)
            .context("catching up was not measured")
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
