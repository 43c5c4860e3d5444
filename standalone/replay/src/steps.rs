//! A market as a sequence of steps.
//!
//! Always true: the same market gives the same steps, byte for byte, however often it is read; a step holds at most
//! [`STEP_RECORDS_MAX`] elements, so that one page of `/coins/markets` holds it whole.

use std::ops::Range;
use std::sync::Arc;

use crate::recording::{Recording, RecordingError, RecordingSteps};
use crate::synthetic::{SyntheticMarket, SyntheticSteps};

/// CoinGecko's largest page.
pub(crate) const STEP_RECORDS_MAX: usize = 250;

/// Something that can be replayed.
#[derive(Debug, Clone)]
pub enum Market {
    /// Ticks somebody recorded.
    Recording(Recording),
    /// Ticks generated from a seed.
    Synthetic(SyntheticMarket),
}

impl Market {
    /// How many polls it takes to read the market.
    pub fn steps_total(&self) -> u64 {
        match self {
            Self::Recording(recording) => recording.steps_total(),
            Self::Synthetic(synthetic) => synthetic.steps_total(),
        }
    }

    /// How many records the market holds, bad payloads included.
    pub fn records_total(&self) -> u64 {
        match self {
            Self::Recording(recording) => recording.records_total(),
            Self::Synthetic(synthetic) => synthetic.records_total(),
        }
    }

    /// What was hidden in the market; empty for a recording, whose truth nobody knows.
    pub fn truth(&self) -> &[crate::Injected] {
        match self {
            Self::Recording(_) => &[],
            Self::Synthetic(synthetic) => synthetic.truth(),
        }
    }

    /// The steps from the first one on.
    ///
    /// # Errors
    /// When a recording can no longer be opened.
    pub fn steps(&self) -> Result<Steps, RecordingError> {
        Ok(match self {
            Self::Recording(recording) => Steps::Recording(Box::new(recording.steps()?)),
            Self::Synthetic(synthetic) => Steps::Synthetic(Box::new(synthetic.steps())),
        })
    }
}

/// The steps of a [`Market`], in order.
pub enum Steps {
    /// Those of a recording.
    Recording(Box<RecordingSteps>),
    /// Those of a synthetic market.
    Synthetic(Box<SyntheticSteps>),
}

impl Steps {
    /// Replaces `step` by the next one; false, and an empty step, after the last.
    ///
    /// # Errors
    /// When a recording has become unreadable since it was opened.
    pub fn next_into(&mut self, step: &mut Step) -> Result<bool, RecordingError> {
        step.clear();
        match self {
            Self::Recording(steps) => steps.next_into(step),
            Self::Synthetic(steps) => Ok(steps.next_into(step)),
        }
    }
}

/// What one poll returns: the elements of one JSON array.
#[derive(Debug, Default, Clone)]
pub struct Step {
    /// The market's time, milliseconds since the epoch.
    pub time_ms: i64,
    json: Vec<u8>,
    spans: Vec<(Option<Arc<str>>, Range<usize>)>,
}

/// One element of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The coin id, if the element is an object that has one: the key of its record.
    pub key: Option<&'a Arc<str>>,
    /// The element as it is sent.
    pub json: &'a [u8],
}

impl Step {
    /// The elements, in the order they are sent.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        self.spans.iter().map(|(key, range)| Element {
            key: key.as_ref(),
            json: &self.json[range.clone()],
        })
    }

    /// How many elements the step has.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the step has no elements.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.json.clear();
        self.spans.clear();
    }

    /// Adds the element that `write` appends.
    pub(crate) fn push(&mut self, key: Option<Arc<str>>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.json.len();
        write(&mut self.json);
        self.spans.push((key, start..self.json.len()));
    }
}
