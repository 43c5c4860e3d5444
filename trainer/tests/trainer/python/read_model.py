"""Prints a registered model as MLflow's own client reads it: versions, aliases, and the model files as SHA-256."""

import hashlib
import json
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient

name = sys.argv[1]
client = MlflowClient()
model = client.get_registered_model(name)
versions = {}
for version in client.search_model_versions(f"name = '{name}'"):
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version.version}"))
    versions[version.version] = {
        "run": version.run_id,
        "status": version.status,
        "note": version.description,
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()
        },
    }
print(json.dumps({"versions": versions, "aliases": {k: str(v) for k, v in model.aliases.items()}}))
