//! Points where tests end a stage as if its process had been killed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StageError;

/// A point between the steps of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failpoint {
    /// Nothing has happened yet.
    CutStarted,
    /// The output topics are ahead of the lake.
    TopicsAcknowledged,
    /// The files of the side layers up to this index exist.
    SideFile(usize),
    /// The main file is complete in memory.
    MainSealed,
    /// The main file exists; the stage does not know it yet.
    MainFile,
}

type Decide = dyn Fn(Failpoint) -> ControlFlow<()> + Send + Sync;

/// Decides at each failpoint whether the stage ends there; by default it never does.
#[derive(Clone, Default)]
pub struct Failpoints {
    decide: Option<Arc<Decide>>,
    pub(crate) module_look_interval: Option<Duration>,
}

impl Failpoints {
    /// Ends the stage where `decide` breaks.
    pub fn new(decide: impl Fn(Failpoint) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self {
            decide: Some(Arc::new(decide)),
            module_look_interval: None,
        }
    }

    /// Looks for replaced modules at this interval instead of the usual one.
    pub fn looking_for_modules_every(mut self, interval: Duration) -> Self {
        self.module_look_interval = Some(interval);
        self
    }

    pub(crate) fn reach(&self, point: Failpoint) -> Result<(), StageError> {
        match &self.decide {
            Some(decide) if decide(point).is_break() => Err(StageError::Killed),
            _ => Ok(()),
        }
    }
}
