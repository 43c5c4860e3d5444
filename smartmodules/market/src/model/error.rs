//! What can be wrong with a model.

use super::INPUTS;

/// Why a model cannot be used, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// These bytes are something else.
    #[error("this is not a model of Coinlake's: give a file that `coinlake train` made")]
    NotAModel,
    /// Written by a later version.
    #[error(
        "the model is of format {found}, this version of Coinlake reads format {known}: use the version that trained \
         it, or train it anew with this one"
    )]
    Newer {
        /// The file's.
        found: u16,
        /// Ours.
        known: u16,
    },
    /// Bytes are missing or changed.
    #[error("the model is damaged ({0}): take it from the registry again, or train it anew")]
    Damaged(&'static str),
    /// One model where the other is wanted.
    #[error("this is a {found}, a {wanted} is wanted")]
    OtherKind {
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Trained on inputs that are not [`INPUTS`].
    #[error(
        "the model was trained on other inputs ({}), this version of Coinlake has {}: train it anew with this one",
        .found.join(", "),
        INPUTS.join(", ")
    )]
    OtherInputs {
        /// The names in the file.
        found: Vec<String>,
    },
    /// Its parts do not fit together.
    #[error("the {model} {what}: train it anew")]
    Unsound {
        /// Which one.
        model: &'static str,
        /// What does not fit.
        what: String,
    },
    /// There is nowhere to put a model.
    #[error(
        "this wasm has no slot for models: give the crypto-predict that `cargo xtask smartmodules` builds"
    )]
    NoSlot,
    /// The slot is smaller than the models.
    #[error(
        "the models take {bytes} bytes, the slot in crypto-predict has {room}: train with fewer or shallower trees, or \
         larger leaves"
    )]
    TooLarge {
        /// What they take.
        bytes: usize,
        /// What there is.
        room: usize,
    },
}
