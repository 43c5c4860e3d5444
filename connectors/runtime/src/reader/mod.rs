//! The records of one partition, without gaps or duplicates.
//!
//! - [`PlainReader`] returns every committed record once, in order. It reads responses that the broker cut again, and accepts a
//!   gap between offsets only when the log really has one.
//! - [`ModuleReader`] returns the outputs of SmartModules. Their state lives as long as the reader.
//! - [`Arrivals`] follows a topic by looking at it now and then.
//! - [`offsets`], [`read_range`], [`read_recent`], [`read_tail`] and [`OffsetProbe`] answer single questions.
//!
//! Readers do not reconnect: [`ReadError::is_transient`] says whether to connect again and open another.

mod arrivals;
mod cursor;
mod error;
mod modules;
mod plain;
mod range;
mod recent;
mod responses;
mod start;

pub use arrivals::Arrivals;
pub use error::ReadError;
pub use modules::ModuleReader;
pub use plain::PlainReader;
pub use range::{OffsetProbe, SMALL_RESPONSE_BYTES, offsets, read_range, read_tail};
pub use recent::read_recent;
