//! One input partition at work.
//!
//! - `restart` runs a partition, and restarts it from its last commit after trouble that may pass.
//! - `open` builds a pipeline from a resume plan; `pipeline` is its event loop: outputs in, cuts and commits out.
//! - `assembly` takes outputs one by one and gives them to their destinations; `position` is how far the input is taken,
//!   `topics` what waits for the output topics.
//! - `outputs` are the partition's output topics; `progress` is what the stage's status shows of it.

mod assembly;
mod open;
mod outputs;
mod pipeline;
mod position;
mod progress;
mod restart;
mod topics;

pub(crate) use restart::run;
