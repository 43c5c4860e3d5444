//! Where tests end a stage as if its process had been killed.

use std::ops::ControlFlow;
use std::sync::Arc;

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
pub struct Hooks(Option<Arc<Hook>>);

impl Hooks {
    /// `hook` breaks where the stage is to end.
    pub fn new(hook: impl Fn(Point) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn at(&self, point: Point) -> Result<(), StageError> {
        match &self.0 {
            Some(hook) if hook(point).is_break() => Err(StageError::Killed),
            _ => Ok(()),
        }
    }
}
