//! Whoever watches upkeep: a progress bar, a process that is to stop, a test that kills it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::error::UpkeepError;

/// What upkeep has just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// So many rows of this table are going to be rewritten.
    RowsPlanned(u64),
    /// So many of them were read.
    RowsRead(u64),
    /// So many files are going to be imported.
    FilesPlanned(u64),
    /// So many of them were.
    FilesRead(u64),
    /// Rows were put aside in a temporary file.
    RunSpilled,
    /// A data file is complete, not yet in the lake.
    FileWritten,
    /// A data file is in the lake, and no entry names it.
    FilePut,
    /// An entry was made.
    EntryMade,
    /// A checkpoint was written.
    CheckpointWritten,
    /// So many files are going to be removed from the store.
    DeletionsPlanned(u64),
    /// A file was removed from the store.
    Deleted,
}

/// Is told every step, and may end the work there.
#[derive(Clone, Default)]
pub(super) struct Watch(Option<Arc<dyn Fn(Step) -> ControlFlow<()> + Send + Sync>>);

impl Watch {
    pub(super) fn new(watch: impl Fn(Step) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// # Errors
    /// [`UpkeepError::Stopped`] when the work ends here.
    pub(super) fn step(&self, step: Step) -> Result<(), UpkeepError> {
        match &self.0 {
            Some(watch) if watch(step).is_break() => Err(UpkeepError::Stopped),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").finish_non_exhaustive()
    }
}
