//! Trained models: where they are stored, and which are in production.
//!
//! - [`tracking`]: the MLflow server that `MLFLOW_TRACKING_URI` names, else a folder in the data directory
//! - [`production`]: the models in production, for deployment

mod production;
mod tracking;

pub(crate) use production::{models_in_production, promoted_models};
pub(crate) use tracking::{
    DEFAULT_EXPERIMENT, MODELS_FOLDER, console_models, local_tracking, open_tracking,
};
