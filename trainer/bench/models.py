"""The peer's half of `cargo xtask bench models`: scikit-learn on the rows that the Rust side exported.

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

# Of so many runs the fastest counts, as on the other side: others share the machine.
FITS = 2
RUNS = 3


def load(folder: Path, label: str, part: str):
    table = pq.read_table(folder / f"{label}_{part}.parquet")
    inputs = [name for name in table.column_names if name not in ("label", "ours")]
    matrix = np.column_stack([table[name].to_numpy() for name in inputs])
    ours = table["ours"].to_numpy() if "ours" in table.column_names else None
    return matrix, table["label"].to_numpy(zero_copy_only=False), ours


def fastest(runs: int, work):
    best, result = float("inf"), None
    for _ in range(runs):
        begin = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begin)
    return best, result


def forest(folder: Path, jobs: int) -> dict:
    x_fit, y_fit, _ = load(folder, "anomaly_ahead", "fit")
    x_test, y_test, ours = load(folder, "anomaly_ahead", "test")
    fit_seconds, model = fastest(
        FITS,
        lambda: RandomForestClassifier(
            n_estimators=100, max_depth=12, min_samples_leaf=20, n_jobs=jobs, random_state=1
        ).fit(x_fit, y_fit),
    )
    model.n_jobs = 1
    ask_seconds, scores = fastest(RUNS, lambda: model.predict_proba(x_test)[:, 1])
    return {
        "fit_seconds": fit_seconds,
        "auc_roc": roc_auc_score(y_test, scores),
        "auc_pr": average_precision_score(y_test, scores),
        "rows_per_second": len(x_test) / ask_seconds,
        "nodes": sum(tree.tree_.node_count for tree in model.estimators_),
        # What scikit-learn makes of our model's scores: the areas are computed alike.
        "auc_roc_of_ours": roc_auc_score(y_test, ours),
        "auc_pr_of_ours": average_precision_score(y_test, ours),
    }


def logistic(folder: Path, coefficients: dict) -> dict:
    x_fit, y_fit, _ = load(folder, "trend_up", "fit")
    x_test, y_test, ours = load(folder, "trend_up", "test")
    fit_seconds, model = fastest(
        FITS, lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x_fit, y_fit)
    )
    scores = model.predict_proba(x_test)[:, 1]

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
        "auc_roc_of_ours": roc_auc_score(y_test, ours),
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
