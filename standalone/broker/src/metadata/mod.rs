//! What the cluster consists of, as its clients see it: topics and their partitions, SmartModules, table formats, one SPU,
//! and how far consumers are. `store` writes it to disk.

mod consumers;
mod registry;
mod spu;
mod store;
mod topics;

pub use consumers::{Consumer, Consumers};
pub use registry::{Registry, Snapshot};
pub use spu::{SPU_ID, host_port, spu};
pub use store::{Specs, Store, StoreError};
pub use topics::Topics;
