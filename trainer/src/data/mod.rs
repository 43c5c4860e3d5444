//! From `lake/features` to labelled rows, split into those to fit on and those to test on.
//!
//! - [`TimeRange`]: the times to read
//! - [`read_rows`] reads [`Rows`] from a lake
//! - [`labels`](labels()) computes what is to be predicted
//! - [`Part`]: labelled rows; [`Split`]: those to fit on and those to test on

mod columns;
mod error;
mod labels;
mod part;
pub(crate) mod range;
mod read;
mod rows;

pub use error::DataError;
pub use labels::{AHEAD_MS, FUTURE_MS_MAX, Label, labels};
pub use part::{Part, Split};
pub use range::{RangeError, TimeRange};
pub use read::{LAYER, last, open_lake, read_rows};
pub use rows::{Row, Rows, RowsBuilder};
