//! SmartModules at work.
//!
//! - `engine` runs one module; `chain` finds and runs those of one stream or request; `processor` keeps a stream's modules one
//!   response ahead of its client.

mod chain;
mod engine;
mod processor;

pub(crate) use chain::{Chain, Processed, resolve};
pub(crate) use engine::Engine;
pub(crate) use processor::{Prepared, Processor};
