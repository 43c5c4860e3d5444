//! Learning: from rows of the lake to a [`Run`](crate::Run) with fitted, judged models.
//!
//! The only part of the crate that needs linfa, ndarray, plotters and rayon; the cargo feature `learn` leaves it out.
//!
//! - [`train`](train()) does all of it
//! - [`fit`] fits the forest and the logistic regression
//! - [`importance`] measures what each input is worth to a model
//! - [`report`] draws pictures and writes the model card

mod commit;
pub mod fit;
pub mod importance;
pub mod report;
mod train;

pub use train::{
    NEWEST_DAY_METRIC, NewestDay, TrainError, TrainSettings, Trained, train, train_rows,
};
