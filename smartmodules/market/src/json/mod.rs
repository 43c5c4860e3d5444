//! The little JSON the modules need, fast: flat objects read in place and written straight into a buffer.
//!
//! A general deserializer took most of a module's time. This reader accepts exactly what RFC 8259 calls an object
//! (a test compares it with serde_json on hostile text), allocates nothing on the way that records usually take, and
//! bears any depth of nesting.

mod buffer;
mod float;
mod read;
mod write;

pub use buffer::Buffer;
pub use read::{Malformed, Text, Value, read_object};
pub use write::{Label, ObjectWriter};
