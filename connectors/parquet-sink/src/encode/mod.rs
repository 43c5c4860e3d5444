//! From an output's JSON to a Parquet file in memory.
//!
//! - `envelope` reads the few fields that say where an output comes from and where it goes.
//! - `schema` is a layer's Arrow schema and how its files are written.
//! - `columns` are Arrow builders; `json` fills them from a JSON object; `rows` builds batches of them.
//! - `layer` collects the rows of one layer between two cuts; `file` encodes them; `date` names their folder.

mod columns;
mod date;
pub mod envelope;
mod file;
mod json;
mod layer;
pub mod rows;
pub mod schema;

pub(crate) use date::{day_of_date, day_of_ms};
pub use file::FileError;
pub(crate) use file::{OpenFile, SealedFile};
pub(crate) use layer::{LayerState, Pushed};
