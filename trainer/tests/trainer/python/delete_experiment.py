"""Puts an experiment into the bin."""

import sys

from mlflow import MlflowClient

client = MlflowClient()
client.delete_experiment(client.get_experiment_by_name(sys.argv[1]).experiment_id)
