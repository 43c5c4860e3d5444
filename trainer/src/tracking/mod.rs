//! Where runs and model versions are kept: an MLflow server, or a folder of the same meaning.
