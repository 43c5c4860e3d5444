//! Training: from rows of the lake to a [`Run`](crate::Run) with fitted and evaluated models.
//!
//! The only part of the crate that needs linfa, ndarray, plotters and rayon: without the cargo feature `learn` it is left
//! out.
//!
//! - [`train`](train()) does all of it
//! - [`fit`] fits the forest and the logistic regression
//! - [`importance`] measures what each input is worth to a model
//! - [`report`] draws the pictures and writes the model card
//! - `label_result` is one label's part of a run, `trained` is the result of all

mod commit;
mod error;
pub mod fit;
pub mod importance;
mod label_result;
pub mod report;
mod settings;
mod train;
mod trained;

pub use error::TrainError;
pub use label_result::NEWEST_DAY_METRIC;
pub use settings::TrainSettings;
pub use train::{train, train_rows};
pub use trained::{NewestDay, Trained};
