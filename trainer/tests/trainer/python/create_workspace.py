"""Creates a workspace on the server that the environment names."""

import sys

import mlflow

mlflow.create_workspace(sys.argv[1])
