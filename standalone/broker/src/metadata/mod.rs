//! What the cluster consists of, as its clients see it: topics and their partitions, SmartModules, table formats, one SPU.

mod registry;
mod spu;
mod topics;

pub use registry::{Registry, Snapshot};
pub use spu::{SPU_ID, host_port, spu};
pub use topics::Topics;
