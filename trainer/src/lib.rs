//! Learns models from `lake/features`, judges them on days they have not seen, and hands them over.
//!
//! Always true: what is evaluated is what serves. Every score here comes from `market::model`, the code that runs in the
//! broker; and the same rows, settings and seed give the same model, bit for bit, at any number of threads.
//!
//! * [`train`](train()) does it all, and gives a [`Run`];
//! * [`data`] reads rows, labels them and splits them by time;
//! * [`forest`] and [`logistic`] fit the two models, [`model`] is either of them;
//! * [`evaluation`] says what they are worth, [`pictures`] and the model card show it;
//! * [`drift`] tells how far other rows are from those a model was made with;
//! * [`tracking`] keeps runs and model versions, in an MLflow server or in a folder;
//! * [`promotion`] decides which version goes to production, [`production`] knows what is there.

mod card;
mod commit;
pub mod data;
pub mod drift;
pub mod evaluation;
pub mod forest;
pub mod logistic;
mod matrix;
pub mod model;
pub mod pictures;
pub mod production;
pub mod promotion;
pub mod run;
pub mod tracking;
mod train;

pub use data::{Label, TimeRange};
pub use run::{Artifact, Metric, Run, TrainedModel};
pub use train::{
    NEWEST_DAY_METRIC, NewestDay, TrainError, TrainSettings, Trained, train, train_rows,
};

/// The same cases in every run: what fails once fails again.
#[cfg(test)]
fn proptest_config(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..Default::default()
    }
}
