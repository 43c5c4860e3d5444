//! Pictures of a model as SVG: text, sharp at any size, without font or image libraries.

mod canvas;
mod confusion;
mod curves;
mod importance;

pub use confusion::confusion;
pub use curves::{calibration, precision_recall, roc};
pub use importance::importance;
