//! What this command ships, for the one-machine platform and for a real cluster alike.
//!
//! - [`fluvio_config`]: topics, table formats and connector configs
//! - [`smartmodules`]: the WASM files, which another compiler builds
//! - [`blueprint`]: the parts of a healthy platform, for `health` and the console

mod blueprint;
mod fluvio_config;
mod smartmodules;

pub(crate) use blueprint::blueprint;
pub(crate) use fluvio_config::{source, stages, table_formats, topics};
pub(crate) use smartmodules::{SmartModule, read_smartmodules};
