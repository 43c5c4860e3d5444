//! Pictures of a model, as SVG: they are text, sharp at any size, and need no fonts or image libraries here.

mod canvas;
mod confusion;
mod curves;
mod importance;

pub use confusion::confusion;
pub use curves::{calibration, precision_recall, roc};
pub use importance::importance;
