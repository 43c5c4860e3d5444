//! Shows people what a model is worth: pictures and the model card.

mod card;
pub mod pictures;

pub(super) use card::{Subject, card};
