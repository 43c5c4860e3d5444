//! What the cluster consists of, as its clients see it: topics and their partitions, SmartModules, table formats, one SPU,
//! and how far consumers are. `store` writes it to disk.

mod consumers;
mod registry;
mod spu;
mod store;
mod topics;

pub(crate) use consumers::{Consumer, Consumers};
pub(crate) use registry::{Registry, Snapshot};
pub(crate) use spu::{SPU_ID, host_port, spu};
pub(crate) use store::{Specs, Store, StoreError};
pub(crate) use topics::Topics;
