//! A lake: Delta tables in a local folder or an object store.
//!
//! ```text
//! LAKE/<table>/_delta_log/…                    the log: which files count
//! LAKE/<table>/date=YYYY-MM-DD/….parquet       data files
//! ```
//!
//! Always true: a data file counts from the entry of the log on that names it, and not before; an entry is made whole and
//! once, under a number that was free; neither ever changes. This crate is the one place that opens, lists and creates them.
//! The format is Delta Lake's (<https://github.com/delta-io/delta/blob/master/PROTOCOL.md>), so that other programs read the
//! tables.
//!
//! - [`Lake`] is the handle; [`LakeUrl`] is its address: a folder, or an object store with its options.
//! - [`Table`] is a table: [`Table::snapshot`] reads it, [`Table::writer`] writes it.
//! - [`CommitStamp`] is what an entry says about the commit that made it: a stage's position.
//! - [`upkeep`] merges files, and removes what nobody needs any more.
//! - [`durable`] writes local files that survive a power cut.
//! - [`LakeError`] says what went wrong and what to do about it.
//!
//! Rows written and read back:
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::cast::AsArray;
//! use arrow_array::types::Float64Type;
//! use arrow_array::{ArrayRef, Float64Array, RecordBatch};
//! use futures_util::TryStreamExt;
//! use lake::{AppId, CommitStamp, Lake, TableSpec, Transaction};
//! use parquet::arrow::ArrowWriter;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let lake = Lake::open_str(&folder.path().display().to_string(), [])?;
//!
//! let prices: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 2.5]));
//! let rows = RecordBatch::try_from_iter([("price", prices)])?;
//! let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
//! writer.write(&rows)?;
//! let contents = writer.into_inner()?;
//!
//! let table = lake.table("trades");
//! let writer = table.writer(&TableSpec::new(&rows.schema(), "what was traded", Vec::new())?).await?;
//! let file = table.put("trades-0", Some("2025-06-01"), contents.into()).await?;
//! let app = AppId { stage: "example".to_owned(), topic: "trades".to_owned(), partition: 0 };
//! let stamp = CommitStamp { last_offset: 41, ..CommitStamp::new(app, "run 1") };
//! assert_eq!(writer.commit(&mut Transaction::append(stamp, vec![file])).await?, 1);
//!
//! let snapshot = table.snapshot().await?.expect("it was written");
//! let file = &snapshot.files()[0];
//! assert_eq!((snapshot.rows(), file.date.as_deref()), (2, Some("2025-06-01")));
//! let batches: Vec<RecordBatch> = lake.rows(&file.path).await?.build()?.try_collect().await?;
//! assert_eq!(batches[0]["price"].as_primitive::<Float64Type>().values(), &[1.5, 2.5]);
//! # Ok(())
//! # }
//! ```

pub mod durable;
mod error;
mod lake;
mod local;
mod log;
mod read;
mod store_error;
mod table;
pub mod upkeep;
mod url;
mod write;

pub use durable::Created;
pub use error::LakeError;
pub use lake::Lake;
pub use read::LakeFile;
pub use table::{
    AppId, Column, CommitError, CommitStamp, DataFile, HistoryEntry, ModuleStamp, NewFile, Place,
    STAMP_VERSION, Snapshot, Summary, Table, TableSpec, TableWriter, Transaction,
    parquet_properties,
};
pub use url::LakeUrl;
