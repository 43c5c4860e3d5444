//! Why a model cannot be used.

use super::inputs::INPUTS;

/// Why a model cannot be used, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The bytes are not a model file.
    #[error("this is not a Coinlake model: give a file that `coinlake train` wrote")]
    NotAModel,
    /// Written in another format than this version reads.
    #[error(
        "the model is of format {found}, this version of Coinlake reads format {known}: use the version that trained \
         it, or train it again with this one"
    )]
    Newer {
        /// The file's format.
        found: u16,
        /// The format that this version reads.
        known: u16,
    },
    /// Trained on features of another definition: its numbers say nothing about those of today.
    #[error(
        "the model was trained on features of version {found}, this version of Coinlake computes version {known}: train \
         it again with this one"
    )]
    OtherFeatures {
        /// The version of the features in its training.
        found: u32,
        /// The version that is computed now.
        known: u32,
    },
    /// Bytes are missing or changed.
    #[error("the model is damaged ({0}): fetch it from the registry again, or train it again")]
    Damaged(&'static str),
    /// The file holds the other kind of model.
    #[error("this is a {found}, a {wanted} is needed")]
    OtherKind {
        /// The file's kind.
        found: &'static str,
        /// The kind that is needed.
        wanted: &'static str,
    },
    /// Trained on inputs that are not [`INPUTS`].
    #[error(
        "the model was trained on other inputs ({}), this version of Coinlake has {}: train it again with this one",
        .found.join(", "),
        INPUTS.join(", ")
    )]
    OtherInputs {
        /// The names in the file.
        found: Vec<String>,
    },
    /// Its parts do not fit together.
    #[error("the {model} {what}: train it again")]
    Unsound {
        /// The kind of model.
        model: &'static str,
        /// The problem.
        what: String,
    },
    /// The wasm has no slot for models.
    #[error(
        "this wasm has no slot for models: give the crypto-predict that `cargo xtask smartmodules` builds"
    )]
    NoSlot,
    /// The slot is smaller than the models.
    #[error(
        "the models take {bytes} bytes, the slot in crypto-predict has {room}: train them again, and a forest is made \
         to fit"
    )]
    TooLarge {
        /// The models' size.
        bytes: usize,
        /// The slot's size.
        room: usize,
    },
}

impl ModelError {
    /// Whether the model was trained on features that are no longer computed: no module may serve it.
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::OtherFeatures { found, known } if found < known)
    }
}
