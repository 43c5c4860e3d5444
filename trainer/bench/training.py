"""scikit-learn's half of `cargo xtask bench training`, on all rows that the Rust side exported: one fit, then its scores on the test rows.

    python training.py FOLDER <forest|boosting> [JOBS]

Prints one JSON object.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits

folder, kind, jobs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 2


def load(part: str):
    file = pq.ParquetFile(folder / f"{part}.parquet")
    inputs = [name for name in file.schema_arrow.names if name != "label"]
    matrix = np.empty((file.metadata.num_rows, len(inputs)), np.float32)
    for column, name in enumerate(inputs):
        matrix[:, column] = file.read([name])[name].to_numpy()
    return matrix, file.read(["label"])["label"].to_numpy(zero_copy_only=False)


def usage() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


models = {
    # As ours.
    "forest": RandomForestClassifier(n_estimators=100, max_depth=12, min_samples_leaf=20, n_jobs=jobs, random_state=1),
    "boosting": HistGradientBoostingClassifier(random_state=1),
}
x_fit, y_fit = load("fit")
begin, cpu = time.perf_counter(), usage()
with threadpool_limits(jobs):
    model = models[kind].fit(x_fit, y_fit)
seconds, cpu = time.perf_counter() - begin, usage() - cpu
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
x_test, y_test = load("test")
scores = model.predict_proba(x_test)[:, 1]
result = {
    "scikit_learn": sklearn.__version__,
    "rows": len(x_fit),
    "seconds": seconds,
    "cpu_seconds": cpu,
    "peak_rss_mib": peak_mib,
    "auc_roc": roc_auc_score(y_test, scores),
    "auc_pr": average_precision_score(y_test, scores),
}
print(json.dumps(result))
