"""Fits scikit-learn's forest to the rows that ours was fitted to, and compares both on the rows to test on.

    python forest.py FOLDER

FOLDER/fit.parquet and FOLDER/test.parquet hold the inputs and the column `label`, the latter also our scores, `ours_SEED`.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

LEAST = 0.95


def load(path):
    table = pq.read_table(path)
    ours = [name for name in table.column_names if name.startswith("ours_")]
    inputs = [name for name in table.column_names if name not in ("label", *ours)]
    matrix = np.column_stack([table[name].to_numpy() for name in inputs])
    return matrix, table["label"].to_numpy(zero_copy_only=False), [table[name].to_numpy() for name in ours]


folder = Path(sys.argv[1])
x_fit, y_fit, _ = load(folder / "fit.parquet")
x_test, y_test, ours = load(folder / "test.parquet")
theirs = [
    RandomForestClassifier(n_estimators=100, max_depth=12, min_samples_leaf=20, n_jobs=-1, random_state=seed)
    .fit(x_fit, y_fit)
    .predict_proba(x_test)[:, 1]
    for seed in range(1, len(ours) + 1)
]
means = {}
for name, area in (("AUC-PR", average_precision_score), ("AUC-ROC", roc_auc_score)):
    areas = {side: [area(y_test, scores) for scores in of] for side, of in (("ours", ours), ("theirs", theirs))}
    means[name] = {side: float(np.mean(of)) for side, of in areas.items()}
    print(f"{name}: ours {means[name]['ours']:.4f}, scikit-learn {means[name]['theirs']:.4f}, base rate {y_test.mean():.4f};",
          {side: [round(float(one), 4) for one in of] for side, of in areas.items()})
ratio = means["AUC-PR"]["ours"] / means["AUC-PR"]["theirs"]
if ratio < LEAST:
    sys.exit(f"our AUC-PR is {ratio:.3f} of scikit-learn's")
