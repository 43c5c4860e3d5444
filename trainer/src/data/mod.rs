//! From `lake/features` to labelled rows, split into those to fit on and those to test on.
//!
//! - [`TimeRange`]: the times to read
//! - [`read_rows`] reads [`Rows`] from a lake; [`Features`] reads them first without and then with inputs
//! - [`labels`](labels()) computes what is to be predicted
//! - [`Part`]: labelled rows; [`Split`]: those to fit on and those to test on
//! - `sample`: fewer rows, each of which stands for many; [`Weights`] says for how many

mod columns;
mod error;
mod label;
mod labels;
mod part;
pub(crate) mod range;
mod read;
mod rows;
mod sample;
mod weights;

pub use error::DataError;
pub use label::Label;
pub use labels::{AHEAD_MS, FUTURE_MS_MAX, labels};
pub use part::{Part, Split};
pub use range::{RangeError, TimeRange};
pub use read::{Features, LAYER, Place, last, open_lake, read_last, read_rows};
pub use rows::{Row, Rows, RowsBuilder};
pub use weights::Weights;
