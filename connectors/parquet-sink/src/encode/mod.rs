//! From an output's JSON to a Parquet file in memory.
//!
//! - `envelope` reads the few fields that say where an output comes from and where it goes.
//! - `schema` is a table's schema and how its files are written.
//! - `columns` are Arrow builders; `fields` says which come from the JSON; `json` fills them from a JSON object, with `plain` if
//!   it is written plainly; `rows` builds batches of them.
//! - `layer` collects the rows of one table between two cuts; `split` takes a batch apart by `date`, and `file` encodes the
//!   rows of one.

mod columns;
mod date;
pub mod envelope;
mod fields;
mod file;
mod json;
mod layer;
mod plain;
pub mod rows;
pub mod schema;
mod split;

pub use file::FileError;
pub(crate) use file::SealedFile;
pub(crate) use layer::{CutFile, LayerState, Pushed};
