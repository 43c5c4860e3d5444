//! Why a training failed.

use super::fit::FitError;
use crate::data::{DataError, Label};

/// Why a training failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The lake cannot be read, or has too few rows.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A model could not be fitted.
    #[error("{label} has no model")]
    Fit {
        /// Its label.
        label: Label,
        /// The cause.
        source: FitError,
    },
    /// No model could be trained; a sentence for each label says why.
    #[error("nothing could be trained. {}", .0.join(". "))]
    Nothing(Vec<String>),
    /// The thread pool could not be started.
    #[error("cannot start threads to train with; give fewer")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The training's thread could not be started.
    #[error("cannot start a thread to train on: {0}; raise the process's limit")]
    Thread(std::io::Error),
    /// The training panicked: a bug here. stderr has the place.
    #[error("the training stopped by a bug in Coinlake: stderr says where")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let error = TrainError::Fit {
            label: Label::ALL[0],
            source: linfa::Error::NotEnoughSamples.into(),
        };
        let error: &(dyn Error + 'static) = &error;
        let chain = std::iter::successors(Some(error), |&error| error.source());
        let told: Vec<String> = chain.map(ToString::to_string).collect();
        assert_eq!(told.len(), 3);
        for part in &told {
            assert_eq!(told.join(": ").matches(part).count(), 1, "{told:?}");
        }
    }
}
