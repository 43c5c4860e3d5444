//! Reports for people: pictures and the model card.

mod card;
pub mod pictures;

pub(super) use card::{Subject, card};
