//! The result of a training.

use std::collections::BTreeMap;

use crate::data::{Label, Part};
use crate::evaluation::BestInput;
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

/// The labelled rows of the newest day, or of all that was tested on where both labels do not occur on that day. No model was
/// fitted on them.
#[derive(Debug, Clone, Default)]
pub struct NewestDay(pub(super) BTreeMap<&'static str, (Part, BestInput)>);

impl NewestDay {
    /// A label's rows; `None` if its model could not be trained.
    pub fn part(&self, label: Label) -> Option<&Part> {
        self.0.get(label.as_str()).map(|(part, _)| part)
    }

    /// The baseline of a label, chosen on the rows fitted on; `None` if its model could not be trained.
    pub fn best_input(&self, label: Label) -> Option<BestInput> {
        self.0.get(label.as_str()).map(|(_, input)| *input)
    }
}
