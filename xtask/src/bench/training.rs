//! A training on a fortnight of 250 coins, beside scikit-learn's random forest and gradient boosting on the same matrix.

use std::fs;

use anyhow::Result;
use serde_json::Value;

use super::python::Python;
use super::setup::{Setup, figure, json_output};
use super::table::{Line, Target};
use crate::process::{run, workspace};

/// Coinlake's threads and scikit-learn's jobs.
const THREADS: &str = "2";

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let script = workspace().join("trainer/bench/training.py");
    let python = Python::with(
        &setup.folder().join("python-models"),
        &script.with_file_name("requirements.txt"),
    )?;
    let folder = setup.folder().join("training");
    let (lake, matrix) = (folder.join("lake"), folder.join("matrix"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut make = setup.bench_target("training")?;
    run(make
        .arg("--make")
        .arg(&lake)
        .args(["--days", "14", "--coins", "250"]))?;
    let mut train = setup.bench_target("training")?;
    let ours = json_output(train.arg("--lake").arg(&lake).args(["--threads", THREADS]))?;
    let mut export = setup.bench_target("training")?;
    run(export.arg("--lake").arg(&lake).arg("--export").arg(&matrix))?;
    let peer = |kind: &str| json_output(python.script(&script).arg(&matrix).args([kind, THREADS]));
    let (forest, boosting) = (peer("forest")?, peer("boosting")?);
    fs::remove_dir_all(&folder)?;
    lines(&ours, &forest, &boosting)
}

fn lines(ours: &Value, forest: &Value, boosting: &Value) -> Result<Vec<Line>> {
    let rows = figure(ours, "rows")?;
    let memory = figure(ours, "peak_rss_mib")?;
    let version = forest["scikit_learn"].as_str().unwrap_or_default();
    let cpu = figure(ours, "cpu_seconds")?;
    let time = |name: &str, peer: &Value, target: Target| -> Result<Line> {
        let theirs = figure(peer, "cpu_seconds")?;
        let peak = figure(peer, "peak_rss_mib")?;
        Ok(Line {
            what: format!("training on {rows} rows, all of it, {THREADS} threads"),
            ours: format!("{cpu:.0} s of CPU"),
            peer: format!(
                "scikit-learn {version}, the fit of {name} alone: {theirs:.0} s, {peak:.0} MiB"
            ),
            ratio: cpu / theirs,
            target,
        })
    };
    let area = |area: &str, worse: f64| -> Result<Line> {
        let a = figure(ours, &format!("anomaly_ahead/{area}"))?;
        let b = figure(forest, area)?;
        let c = figure(boosting, area)?;
        Ok(Line {
            what: format!("training on {rows} rows: {area} of anomaly_ahead (difference)"),
            ours: format!("{a:.4}"),
            peer: format!("its random forest on all rows: {b:.4}; boosting: {c:.4}"),
            ratio: a - b,
            target: Target::AtLeast(-worse),
        })
    };
    Ok(vec![
        time("a random forest", forest, Target::AtMost(0.25))?,
        time("HistGradientBoosting", boosting, Target::None)?,
        Line {
            what: format!("training on {rows} rows: memory"),
            ours: format!("{memory:.0} MiB"),
            peer: "1 GiB allowed".to_owned(),
            ratio: memory / 1024.0,
            target: Target::AtMost(1.0),
        },
        area("auc_roc", 0.005)?,
        area("auc_pr", 0.01)?,
    ])
}
