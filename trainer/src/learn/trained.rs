//! The result of a training.

use std::collections::BTreeMap;

use crate::data::{Label, Part};
use crate::run::Run;

/// What came of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// What is to be tracked.
    pub run: Run,
    /// For each label that could not be trained a sentence why.
    pub left_out: Vec<String>,
    /// The newest day, to judge other versions by.
    pub newest_day: NewestDay,
}

/// The labelled rows of the newest day, none of which was fitted on.
#[derive(Debug, Clone, Default)]
pub struct NewestDay(pub(super) BTreeMap<&'static str, Part>);

impl NewestDay {
    /// A label's rows; `None` if its model was left out.
    pub fn part(&self, label: Label) -> Option<&Part> {
        self.0.get(label.as_str())
    }
}
