//! Learning: from rows of the lake to a [`Run`](crate::Run) with fitted, judged models.
//!
//! The only part of the crate that needs linfa, ndarray, plotters and rayon; the cargo feature `learn` leaves it out.
//!
//! - [`train`](train()) does all of it
//! - [`fit`] fits the forest and the logistic regression
//! - [`importance`] measures what each input is worth to a model
//! - [`report`] draws pictures and writes the model card

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
