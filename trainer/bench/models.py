"""scikit-learn's half of `cargo xtask bench models`, on the rows that the Rust side exported.

    python models.py FOLDER [JOBS]

Reads FOLDER/<label>_<fit|test>.parquet and FOLDER/ours.json, writes FOLDER/peer.json.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# As on the Rust side: of this many fits, each with its own seed, the fastest time and the mean AUC count.
FITS = 5
RUNS = 3


def load(folder: Path, label: str, part: str):
    table = pq.read_table(folder / f"{label}_{part}.parquet")
    inputs = [name for name in table.column_names if name not in ("label", "ours")]
    matrix = np.column_stack([table[name].to_numpy() for name in inputs])
    ours = table["ours"].to_numpy() if "ours" in table.column_names else None
    return matrix, table["label"].to_numpy(zero_copy_only=False), ours


def fastest(runs: int, work):
    best, results = float("inf"), []
    for run in range(1, runs + 1):
        begin = time.perf_counter()
        results.append(work(run))
        best = min(best, time.perf_counter() - begin)
    return best, results


def forest(folder: Path, jobs: int) -> dict:
    x_fit, y_fit, _ = load(folder, "anomaly_ahead", "fit")
    x_test, y_test, ours = load(folder, "anomaly_ahead", "test")
    fit_seconds, models = fastest(
        FITS,
        lambda seed: RandomForestClassifier(
            n_estimators=100, max_depth=12, min_samples_leaf=20, n_jobs=jobs, random_state=seed
        ).fit(x_fit, y_fit),
    )
    scores = [model.predict_proba(x_test)[:, 1] for model in models]
    model = models[-1].set_params(n_jobs=1)
    ask_seconds, _ = fastest(RUNS, lambda _: model.predict_proba(x_test))
    return {
        "fit_seconds": fit_seconds,
        "auc_roc": float(np.mean([roc_auc_score(y_test, of_one) for of_one in scores])),
        "auc_pr": float(np.mean([average_precision_score(y_test, of_one) for of_one in scores])),
        "rows_per_second": len(x_test) / ask_seconds,
        "nodes": sum(tree.tree_.node_count for tree in model.estimators_),
        # What scikit-learn makes of our model's scores: the areas are computed alike.
        "auc_roc_of_scores": roc_auc_score(y_test, ours),
    }


def logistic(folder: Path, coefficients: dict) -> dict:
    x_fit, y_fit, _ = load(folder, "trend_up", "fit")
    x_test, y_test, ours = load(folder, "trend_up", "test")
    fit_seconds, models = fastest(
        FITS, lambda _: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x_fit, y_fit)
    )
    scores = models[0].predict_proba(x_test)[:, 1]

    # scikit-learn's arithmetic on our coefficients.
    scaler, classifier = StandardScaler().fit(x_fit), LogisticRegression()
    scaler.mean_ = np.array(coefficients["mean"])
    scaler.scale_ = np.array(coefficients["scale"])
    classifier.classes_ = np.array([False, True])
    classifier.coef_ = np.array([coefficients["weights"]])
    classifier.intercept_ = np.array([coefficients["intercept"]])
    same = classifier.predict_proba(scaler.transform(x_test))[:, 1]
    return {
        "fit_seconds": fit_seconds,
        "auc_roc": roc_auc_score(y_test, scores),
        "auc_roc_of_scores": roc_auc_score(y_test, ours),
        "difference_with_our_coefficients": float(np.abs(same - ours).max()),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    ours = json.loads((folder / "ours.json").read_text())
    peer = {
        "scikit_learn": sklearn.__version__,
        "anomaly_ahead": forest(folder, jobs),
        "trend_up": logistic(folder, ours["trend_up"]["coefficients"]),
    }
    (folder / "peer.json").write_text(json.dumps(peer, indent=1))


main()
