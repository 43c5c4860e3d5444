//! A market as a sequence of steps.
//!
//! Always true: the same market gives the same steps, byte for byte, however often it is read.

use crate::error::RecordingError;
use crate::field::{FieldMarket, FieldSteps};
use crate::recording::{Recording, RecordingSteps};
use crate::step::Step;
use crate::synthetic::{SyntheticMarket, SyntheticSteps};
use crate::truth::Injected;

/// Something that can be replayed.
#[derive(Debug, Clone)]
pub enum Market {
    /// Ticks somebody recorded.
    Recording(Recording),
    /// Ticks generated from a seed.
    Synthetic(SyntheticMarket),
    /// Ticks generated from a seed and delivered as CoinGecko delivers.
    Field(FieldMarket),
}

impl Market {
    /// How many polls it takes to read the market.
    pub fn steps_total(&self) -> u64 {
        match self {
            Self::Recording(recording) => recording.steps_total(),
            Self::Synthetic(synthetic) => synthetic.steps_total(),
            Self::Field(field) => field.steps_total(),
        }
    }

    /// How many records the market holds, bad payloads included; none for the field market, of which a client sends as
    /// much as is new to it.
    pub fn records_total(&self) -> Option<u64> {
        match self {
            Self::Recording(recording) => Some(recording.records_total()),
            Self::Synthetic(synthetic) => Some(synthetic.records_total()),
            Self::Field(_) => None,
        }
    }

    /// What was hidden in the market; empty for a recording, whose truth nobody knows, and for the field market, whose
    /// [`truth`](FieldMarket::truth) is of another kind.
    pub fn truth(&self) -> &[Injected] {
        match self {
            Self::Recording(_) | Self::Field(_) => &[],
            Self::Synthetic(synthetic) => synthetic.truth(),
        }
    }

    /// The field market, if it is that.
    pub(crate) fn field(&self) -> Option<&FieldMarket> {
        match self {
            Self::Field(field) => Some(field),
            Self::Recording(_) | Self::Synthetic(_) => None,
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
            Self::Field(field) => Steps::Field(Box::new(field.steps())),
        })
    }
}

/// The steps of a [`Market`], in order.
pub enum Steps {
    /// Those of a recording.
    Recording(Box<RecordingSteps>),
    /// Those of a synthetic market.
    Synthetic(Box<SyntheticSteps>),
    /// Those of a field market.
    Field(Box<FieldSteps>),
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
            Self::Field(steps) => Ok(steps.next_into(step)),
        }
    }
}
