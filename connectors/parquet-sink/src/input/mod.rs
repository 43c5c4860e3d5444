//! What a stage reads.
//!
//! - `stream` is the input of one partition: the topic's own records, or SmartModule outputs made from them.
//! - `record` reads and hashes a single record.
//! - `modules` says which SmartModules the cluster has, and notices a replaced one.

mod modules;
mod record;
mod stream;

pub(crate) use modules::ModuleError;
pub(crate) use modules::{ASK_TIMEOUT, LOOK_INTERVAL, ModuleWatch, stamps};
pub(crate) use record::{hash, record_at};
pub(crate) use stream::{Batch, Input, Item};
