//! Where a run has its models.

/// The file of a model, inside the folder that [`model_folder`] names.
pub(super) const MODEL_FILE: &str = "model.bin";

/// Where a run keeps a model.
pub(super) fn model_folder(model: &str) -> String {
    format!("models/{model}")
}

/// Where a run keeps a model's file.
pub(super) fn model_path(model: &str) -> String {
    format!("{}/{MODEL_FILE}", model_folder(model))
}
