//! Points where tests end a stage as if its process had been killed.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use lake::NewFile;

use crate::error::StageError;

/// A point between the steps of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failpoint {
    /// Nothing has happened yet.
    CutStarted,
    /// The output topics are ahead of the lake.
    TopicsAcknowledged,
    /// The data files of the cut up to this index are durable, and no entry names them. The main table's come first.
    FilePut(usize),
    /// The side tables up to this index, of those with rows in the cut, have their entry.
    SideEntry(usize),
    /// The main table has its entry; the stage does not know it yet.
    MainEntry,
}

type Decide = dyn Fn(Failpoint) -> ControlFlow<()> + Send + Sync;

/// Decides at each failpoint whether the stage ends there; by default it never does.
#[derive(Clone, Default)]
pub struct Failpoints {
    decide: Option<Arc<Decide>>,
    pub(crate) module_look_interval: Option<Duration>,
    file_age: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
}

impl Failpoints {
    /// Ends the stage where `decide` breaks.
    pub fn new(decide: impl Fn(Failpoint) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self {
            decide: Some(Arc::new(decide)),
            ..Self::default()
        }
    }

    /// Makes each data file older than it is, as if its entry had to wait so long.
    pub fn aging_files(mut self, age: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.file_age = Some(Arc::new(age));
        self
    }

    /// Looks for replaced modules at this interval instead of the usual one.
    pub fn looking_for_modules_every(mut self, interval: Duration) -> Self {
        self.module_look_interval = Some(interval);
        self
    }

    pub(crate) fn age(&self, file: &mut NewFile) {
        if let Some(age) = &self.file_age {
            file.written_ms -= i64::try_from(age().as_millis()).unwrap_or(i64::MAX);
        }
    }

    pub(crate) fn reach(&self, point: Failpoint) -> Result<(), StageError> {
        match &self.decide {
            Some(decide) if decide(point).is_break() => Err(StageError::Killed),
            _ => Ok(()),
        }
    }
}
