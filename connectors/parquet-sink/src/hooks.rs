//! Where tests end a stage as if its process had been killed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StageError;

/// A point between the steps of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Point {
    /// Nothing has happened yet.
    CutStarted,
    /// The output topics are ahead of the lake.
    TopicsAcknowledged,
    /// So many side files plus one exist.
    SideFile(usize),
    /// The main file is complete in memory.
    MainSealed,
    /// The main file exists; nobody was told.
    MainFile,
}

type Hook = dyn Fn(Point) -> ControlFlow<()> + Send + Sync;

/// Asked at every point; does nothing by default.
#[derive(Clone, Default)]
pub struct Hooks {
    at: Option<Arc<Hook>>,
    pub(crate) module_look_interval: Option<Duration>,
}

impl Hooks {
    /// `hook` breaks where the stage is to end.
    pub fn new(hook: impl Fn(Point) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self {
            at: Some(Arc::new(hook)),
            module_look_interval: None,
        }
    }

    /// Looks for a replaced module so often, instead of the usual.
    pub fn looking_for_modules_every(mut self, interval: Duration) -> Self {
        self.module_look_interval = Some(interval);
        self
    }

    pub(crate) fn at(&self, point: Point) -> Result<(), StageError> {
        match &self.at {
            Some(hook) if hook(point).is_break() => Err(StageError::Killed),
            _ => Ok(()),
        }
    }
}
