//! The models beside scikit-learn, on the same matrix and the same split.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::python::Python;
use super::setup::Setup;
use super::table::{Line, Target};
use super::throughput::Throughput;
use crate::process::{run, workspace};

/// Coinlake's threads and scikit-learn's jobs.
const THREADS: &str = "2";

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let lake = setup.lake()?;
    let folder = setup.folder().join("models");
    let script = workspace().join("trainer/bench/models.py");
    let python = Python::with(
        &setup.folder().join("python-models"),
        &script.with_file_name("requirements.txt"),
    )?;

    run(setup
        .bench_target("models")?
        .arg("--lake")
        .arg(fs::canonicalize(&lake)?)
        .arg("--out")
        .arg(&folder)
        .args(["--threads", THREADS])
        .stdout(Stdio::null()))?;
    run(python.script(&script).arg(&folder).arg(THREADS))?;
    let ours = read(&folder.join("ours.json"))?;
    let peer = read(&folder.join("peer.json"))?;
    let mut lines = lines(&ours, &peer)?;
    let peer_rows_per_second = number(&peer, "anomaly_ahead", "rows_per_second")?;
    lines.extend(served(setup.throughput()?, peer_rows_per_second)?);
    Ok(lines)
}

/// The models in WASM, as crypto-predict serves them, compared with scikit-learn's batch prediction.
fn served(throughput: &Throughput, peer_rows_per_second: f64) -> Result<Vec<Line>> {
    let module = "crypto-predict";
    let alone = throughput.number_before(module, " rows/s in wasm")?;
    let (whole, nothing) = throughput.records_per_second(module)?;
    let slowest_us = throughput.number_after(module, "p99")?;
    Ok(vec![
        Line {
            what: "forest: predictions, in WASM, one core".to_owned(),
            ours: format!("{alone:.0} rows/s"),
            peer: format!("scikit-learn: {peer_rows_per_second:.0} rows/s"),
            ratio: alone / peer_rows_per_second,
            target: Target::AtLeast(1.0),
        },
        Line {
            what: "crypto-predict in the engine, one core".to_owned(),
            ours: format!("{whole:.0} records/s"),
            peer: format!("doing nothing: {nothing:.0} records/s"),
            ratio: whole / nothing,
            target: Target::AtLeast(0.5),
        },
        Line {
            what: "crypto-predict: one record at a time, p99".to_owned(),
            ours: format!("{slowest_us:.0} µs"),
            peer: "5 ms allowed".to_owned(),
            ratio: slowest_us / 5000.0,
            target: Target::AtMost(1.0),
        },
    ])
}

fn lines(ours: &Value, peer: &Value) -> Result<Vec<Line>> {
    let version = &peer["scikit_learn"].as_str().unwrap_or_default();
    let both = |label: &str, name: &str| -> Result<(f64, f64)> {
        Ok((number(ours, label, name)?, number(peer, label, name)?))
    };
    let (forest, logistic) = ("anomaly_ahead", "trend_up");
    let rows = number(ours, forest, "fit_rows")?;

    let fit = both(forest, "fit_seconds")?;
    let auc = both(forest, "auc_roc")?;
    let auc_pr = both(forest, "auc_pr")?;
    for label in [forest, logistic] {
        // The scores below compare only if both sides compute the same area.
        let (a, b) = both(label, "auc_roc_of_scores")?;
        ensure!(
            (a - b).abs() < 1e-9,
            "{label}: Coinlake computes an AUC-ROC of {a} and scikit-learn {b} for the same scores"
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
            what: "forest: AUC-PR on the test rows, mean over seeds".to_owned(),
            ours: format!("{:.4}", auc_pr.0),
            peer: format!("scikit-learn: {:.4}", auc_pr.1),
            ratio: auc_pr.0 / auc_pr.1,
            target: Target::AtLeast(1.0),
        },
        Line {
            what: "forest: predictions, native, one core".to_owned(),
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
            what: "logistic regression: predictions with the same coefficients (difference)"
                .to_owned(),
            ours: "same rows".to_owned(),
            peer: "scikit-learn".to_owned(),
            ratio: arithmetic,
            target: Target::AtMost(1e-9),
        },
    ])
}

fn number(of: &Value, label: &str, name: &str) -> Result<f64> {
    let value = of[label][name].as_f64();
    value.with_context(|| format!("{label}/{name} was not measured"))
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
