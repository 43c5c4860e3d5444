//! The binary interface between Fluvio and a `filter_map` SmartModule, with no unnecessary copies of records.
//!
//! Fluvio's own `#[smartmodule]` macro decodes a batch into owned records, byte by byte, and encodes the outputs the same
//! way; that costs more than most modules do. Here a module reads the encoded records in place, and its outputs are
//! written encoded. The exports are those of Fluvio's macro: `alloc`, `dealloc`, `init`, `filter_map` and, for a module
//! with state, `look_back`.
//!
//! - [`SmartModule`] is implemented by a module: [`Record`]s in, [`Outputs`] out
//! - [`export!`] exports it from the wasm
//! - [`module!`] does both for a processor of another crate
//! - [`Host`] runs a module on encoded batches
//!
//! ```
//! use smartmodule_abi::{Outputs, Record, SmartModule};
//!
//! struct Echo;
//!
//! impl SmartModule for Echo {
//!     fn init(_params: Vec<(String, String)>) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!
//!     fn filter_map(&mut self, record: &Record<'_>, outputs: &mut Outputs<'_>) {
//!         outputs.push(record.key, record.value);
//!     }
//! }
//!
//! smartmodule_abi::export!(Echo);
//! ```

mod batch;
mod export;
mod host;
mod module;
mod record;
mod wire;
mod wrap;

pub use batch::Records;
pub use host::Host;
#[doc(hidden)]
pub use host::{alloc, take};
pub use module::{Outputs, SmartModule};
pub use record::Record;
