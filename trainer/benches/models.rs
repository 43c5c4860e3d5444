//! Our half of `cargo xtask bench models`: fits the models on a lake, predicts with them, and exports the rows for
//! scikit-learn.
//!
//! `models --lake LAKE --out FOLDER [--threads N]` writes `FOLDER/<label>_<fit|test>.parquet` and `FOLDER/ours.json`.

mod export;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use export::export;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use trainer::data::{Part, Split, open_lake, read_rows};
use trainer::evaluation::Ranking;
use trainer::learn::fit::{ForestParams, LogisticParams, ModelParams};
use trainer::model::Model;
use trainer::{Label, TimeRange};

/// Fits per model; the forest gets another seed each time. The fastest counts, because the machine is shared; of AUC the mean,
/// because a seed may be lucky.
const FITS: u64 = 5;
/// The number of prediction runs, of which the fastest counts.
const RUNS: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).cloned()
    };
    // `cargo test --benches` passes no arguments.
    let Some((lake, out)) = value("--lake").zip(value("--out")) else {
        eprintln!(
            "nothing to do: give --lake LAKE --out FOLDER, as `cargo xtask bench models` does"
        );
        return Ok(());
    };
    if let Some(threads) = value("--threads") {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?);
        pool.build_global()?;
    }
    let out = PathBuf::from(out);
    fs::create_dir_all(&out)?;

    let begin = Instant::now();
    let rows = read_rows(
        &open_lake(&lake)?,
        TimeRange::default(),
        &ProgressBar::hidden(),
    )
    .await?;
    let read_seconds = begin.elapsed().as_secs_f64();
    let forest = |seed| {
        ModelParams::Forest(ForestParams {
            seed,
            leaf_rows_min: 20, // as scikit-learn's
            ..ForestParams::default()
        })
    };
    let logistic = |_| ModelParams::Logistic(LogisticParams::default());
    let mut results = json!({"read_rows": rows.len(), "read_seconds": read_seconds});
    let split = |label| Part::of_rows(&rows, label).split(label);
    let (anomaly, trend) = (Label::AnomalyAhead, Label::TrendUp);
    results[anomaly.as_str()] = measure(anomaly, forest, &split(anomaly)?, &out)?;
    results[trend.as_str()] = measure(trend, logistic, &split(trend)?, &out)?;
    fs::write(out.join("ours.json"), serde_json::to_vec_pretty(&results)?)?;
    println!("{results:#}");
    Ok(())
}

fn measure(
    label: Label,
    params: impl Fn(u64) -> ModelParams,
    split: &Split,
    out: &Path,
) -> Result<Value, Box<dyn Error>> {
    let ranking = |scores: &[f64]| Ranking::of(scores, &split.test.labels);
    // Not timed: it warms the caches.
    let mut model = params(1).fit(label, &split.fit)?;
    let (mut fit_seconds, mut auc_roc, mut auc_pr) = (f64::INFINITY, 0.0, 0.0);
    for seed in 1..=FITS {
        let begin = Instant::now();
        model = params(seed).fit(label, &split.fit)?;
        fit_seconds = fit_seconds.min(begin.elapsed().as_secs_f64());
        let ranking = ranking(&model.probabilities(&split.test.inputs));
        auc_roc += ranking.auc_roc() / FITS as f64;
        auc_pr += ranking.auc_pr() / FITS as f64;
    }
    let mut predict_seconds = f64::INFINITY;
    let mut scores = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        scores = model.probabilities(&split.test.inputs);
        predict_seconds = predict_seconds.min(begin.elapsed().as_secs_f64());
    }
    let fill = model.info().fill;
    export(
        &split.fit,
        Some(&fill),
        None,
        &out.join(format!("{label}_fit.parquet")),
    )?;
    export(
        &split.test,
        Some(&fill),
        Some(&scores),
        &out.join(format!("{label}_test.parquet")),
    )?;
    let file_bytes = model.to_bytes().len();
    let coefficients = match &model {
        Model::Forest(_) => Value::Null,
        Model::Logistic(logistic) => json!({
            "mean": logistic.mean(),
            "scale": logistic.scale(),
            "weights": logistic.weights(),
            "intercept": logistic.intercept(),
        }),
    };
    Ok(json!({
        "fit_rows": split.fit.len(),
        "test_rows": split.test.len(),
        "base_rate": split.test.base_rate(),
        "fit_seconds": fit_seconds,
        "auc_roc": auc_roc,
        "auc_pr": auc_pr,
        "auc_roc_of_scores": ranking(&scores).auc_roc(),
        "rows_per_second": scores.len() as f64 / predict_seconds,
        "file_bytes": file_bytes,
        "coefficients": coefficients,
    }))
}
