//! The result of a training.

use std::collections::BTreeMap;

use crate::data::{Label, Part};
use crate::run::Run;

/// The result of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The run, to be tracked.
    pub run: Run,
    /// A sentence for each label that could not be trained.
    pub left_out: Vec<String>,
    /// The newest day, to compare other versions on.
    pub newest_day: NewestDay,
}

/// The labelled rows of the newest day. No model was fitted on them.
#[derive(Debug, Clone, Default)]
pub struct NewestDay(pub(super) BTreeMap<&'static str, Part>);

impl NewestDay {
    /// A label's rows; `None` if its model could not be trained.
    pub fn part(&self, label: Label) -> Option<&Part> {
        self.0.get(label.as_str())
    }
}
