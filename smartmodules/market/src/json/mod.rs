//! Fast JSON for flat objects: read in place, written straight into a buffer.
//!
//! A general deserializer took most of a module's time. This reader accepts exactly the objects of RFC 8259 (a test
//! compares it with serde_json on hostile text), allocates nothing for usual records, and reads any depth of nesting.
//!
//! - [`read_object`] reports each field as a [`Value`]
//! - [`ObjectWriter`] writes fields into a [`Buffer`]

mod buffer;
mod float;
mod read;
mod scan;
mod value;
mod write;

pub use buffer::Buffer;
pub use read::{Malformed, read_object};
pub use value::{Text, Value};
pub use write::{Label, ObjectWriter};
