"""Deletes a version of a registered model."""

import sys

from mlflow import MlflowClient

MlflowClient().delete_model_version(name=sys.argv[1], version=sys.argv[2])
