//! A lake: layers of Parquet files in a local folder or an object store.
//!
//! ```text
//! LAKE/<layer>/date=YYYY-MM-DD/<topic>-<partition>-<first offset>.parquet
//! ```
//!
//! Always true: a file becomes visible whole or not at all, and only under a name that was free. Files never change.
//! This crate is the one place that opens, lists and creates them.
//!
//! - [`Lake`] is the handle: it creates files, lists layers, and reads files, footers and columns.
//! - [`LakeUrl`] is a lake's address: a folder, or an object store with its options.
//! - [`DataFile`] and [`FileName`] describe the files of a layer.
//! - [`FileStamp`] is what a file's footer says about the commit that wrote it.
//! - [`LayerSummary`] counts what a layer holds.
//! - [`durable`] writes local files that survive a power cut.
//! - [`LakeError`] says what went wrong and what to do about it.
//!
//! A file written and read back:
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::cast::AsArray;
//! use arrow_array::types::Float64Type;
//! use arrow_array::{ArrayRef, Float64Array, RecordBatch};
//! use futures_util::TryStreamExt;
//! use lake::{Created, FileName, Lake};
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
//! let name = FileName { topic: "trades".to_owned(), partition: 0, generation: 0, offset: 41 };
//! let path = format!("trades/date=2025-06-01/{name}");
//! assert_eq!(lake.create(&path, contents.into(), "example").await?, Created::New);
//!
//! let files = lake.files("trades").await?;
//! assert_eq!((files[0].name.offset, files[0].date()), (41, Some("2025-06-01")));
//! let batches: Vec<RecordBatch> = lake.rows(&files[0].path).await?.build()?.try_collect().await?;
//! assert_eq!(batches[0]["price"].as_primitive::<Float64Type>().values(), &[1.5, 2.5]);
//! # Ok(())
//! # }
//! ```

pub mod durable;
mod error;
mod file;
mod lake;
mod local;
mod read;
mod stamp;
mod summary;
mod url;
mod write;

pub use durable::Created;
pub use error::LakeError;
pub use file::{DataFile, FileName};
pub use lake::Lake;
pub use read::LakeFile;
pub use stamp::{FOOTER_KEY, FileStamp, ModuleStamp, STAMP_VERSION};
pub use summary::{LayerSummary, PartitionSummary};
pub use url::LakeUrl;
