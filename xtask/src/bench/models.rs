//! The models beside scikit-learn, on the same matrix and the same split.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::python::Python;
use super::table::{Line, Target};
use crate::{run, workspace};

/// Threads of ours, jobs of the peer's.
const THREADS: &str = "2";

pub fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let lake = bench.lake()?;
    let folder = bench.folder().join("models");
    let script = workspace().join("trainer/bench/models.py");
    let python = Python::with(
        &bench.folder().join("python-models"),
        &script.with_file_name("requirements.txt"),
    )?;

    run(Command::new("cargo")
        .current_dir(workspace())
        .args([
            "bench",
            "--quiet",
            "--package",
            "trainer",
            "--bench",
            "models",
            "--",
        ])
        .arg("--lake")
        .arg(fs::canonicalize(&lake)?)
        .arg("--out")
        .arg(&folder)
        .args(["--threads", THREADS])
        .stdout(std::process::Stdio::null()))?;
    run(python.script(&script).arg(&folder).arg(THREADS))?;
    lines(
        &read(&folder.join("ours.json"))?,
        &read(&folder.join("peer.json"))?,
    )
}

fn lines(ours: &Value, peer: &Value) -> Result<Vec<Line>> {
    let version = &peer["scikit_learn"].as_str().unwrap_or_default();
    let number = |of: &Value, label: &str, name: &str| {
        let value = of[label][name].as_f64();
        value.with_context(|| format!("{label}/{name} was not measured"))
    };
    let both = |label: &str, name: &str| -> Result<(f64, f64)> {
        Ok((number(ours, label, name)?, number(peer, label, name)?))
    };
    let (forest, logistic) = ("anomaly_ahead", "trend_up");
    let rows = number(ours, forest, "fit_rows")?;

    let fit = both(forest, "fit_seconds")?;
    let auc = both(forest, "auc_roc")?;
    for label in [forest, logistic] {
        // Both sides compute areas alike, or the others mean nothing.
        let (a, b) = both(label, "auc_roc_of_scores")?;
        ensure!(
            (a - b).abs() < 1e-9,
            "{label}: AUC-ROC is {a} here and {b} there for the same scores"
        );
    }
    let ask = both(forest, "rows_per_second")?;
    let logistic_auc = both(logistic, "auc_roc")?;
    let arithmetic = number(peer, logistic, "difference_with_our_coefficients")?;
    Ok(vec![
        Line {
            what: format!("forest: fit, {rows} rows, {THREADS} threads"),
            ours: format!("{:.2} s", fit.0),
            peer: format!("scikit-learn {version}: {:.2} s", fit.1),
            ratio: fit.0 / fit.1,
            target: Target::AtMost(0.25),
        },
        Line {
            what: "forest: AUC-ROC on the test rows, mean over seeds".to_owned(),
            ours: format!("{:.4}", auc.0),
            peer: format!("scikit-learn: {:.4}", auc.1),
            ratio: auc.0 / auc.1,
            target: Target::AtLeast(1.0),
        },
        Line {
            what: "forest: answers, native, one core".to_owned(),
            ours: format!("{:.0} rows/s", ask.0),
            peer: format!("scikit-learn: {:.0} rows/s", ask.1),
            ratio: ask.0 / ask.1,
            target: Target::AtLeast(1.0),
        },
        Line {
            what: "logistic regression: AUC-ROC (difference)".to_owned(),
            ours: format!("{:.4}", logistic_auc.0),
            peer: format!("scikit-learn: {:.4}", logistic_auc.1),
            ratio: logistic_auc.0 - logistic_auc.1,
            target: Target::AtLeast(-0.005),
        },
        Line {
            what: "logistic regression: answers with the same coefficients (difference)".to_owned(),
            ours: "same rows".to_owned(),
            peer: "scikit-learn".to_owned(),
            ratio: arithmetic,
            target: Target::AtMost(1e-9),
        },
    ])
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
