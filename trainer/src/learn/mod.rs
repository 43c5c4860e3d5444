//! Training: from rows of the lake to a [`Run`](crate::Run) with fitted and evaluated models.
//!
//! - [`train`](train()) does all of it
//! - [`fit`] fits the forest and the logistic regression
//! - [`importance`] measures what each input is worth to a model
//! - [`report`] draws the pictures and writes the model card
//! - `material` is what a training is made from, `label_result` one label's part of a run, `trained` the result of all
//! - `steps` shows the progress

mod commit;
mod error;
pub mod fit;
pub mod importance;
mod label_result;
mod material;
pub mod report;
mod settings;
mod steps;
mod threads;
mod train;
mod trained;

pub use error::TrainError;
pub use label_result::NEWEST_DAY_METRIC;
pub use settings::TrainSettings;
pub use train::{train, train_rows};
pub use trained::{NewestDay, Trained};
