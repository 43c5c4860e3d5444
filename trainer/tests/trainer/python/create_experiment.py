"""Creates an experiment whose files go to a place of its own."""

import sys

from mlflow import MlflowClient

MlflowClient().create_experiment(sys.argv[1], artifact_location=sys.argv[2])
