//! SmartModules at work.
//!
//! - `chain` finds, compiles and runs the modules of one stream or request; `processor` keeps a stream's modules one
//!   response ahead of its client.

mod chain;
mod processor;

pub use chain::{Chain, Processed, resolve};
pub use processor::{Prepared, Processor};
