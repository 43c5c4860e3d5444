//! The places of models among a run's files.

/// A model's file, in its [`model_folder`].
pub(super) const MODEL_FILE: &str = "model.bin";

/// The folder of a model.
pub(super) fn model_folder(model: &str) -> String {
    format!("models/{model}")
}

/// The path of a model's file.
pub(super) fn model_path(model: &str) -> String {
    format!("{}/{MODEL_FILE}", model_folder(model))
}
