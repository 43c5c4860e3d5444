"""Prints a run as MLflow's own client reads it: params, tags, metrics with every step, files as SHA-256."""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from mlflow import MlflowClient

run_id = sys.argv[1]
client = MlflowClient()
run = client.get_run(run_id)
metrics = {
    name: [[point.step, point.value, point.timestamp] for point in client.get_metric_history(run_id, name)]
    for name in run.data.metrics
}
with tempfile.TemporaryDirectory() as folder:
    root = Path(client.download_artifacts(run_id, "", folder)) if client.list_artifacts(run_id) else Path(folder)
    files = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
print(
    json.dumps(
        {
            "experiment": client.get_experiment(run.info.experiment_id).name,
            "name": run.info.run_name,
            "status": run.info.status,
            "started_ms": run.info.start_time,
            "ended_ms": run.info.end_time,
            "params": run.data.params,
            "tags": {k: v for k, v in run.data.tags.items() if k not in ("mlflow.runName", "coinlake.beginning")},
            "metrics": metrics,
            "files": files,
        }
    )
)
