//! Upkeep of tables: few large files in the place of many small ones, no file that nobody needs, no rows past their time.
//!
//! All of it while stages write and people read, and killed at any moment: a table's rows change by entries alone, and
//! files go only when no reader of the last day can want them.
//!
//! - `optimize` merges files, as `plan` says which; `rewrite` does the work within bounded memory: `shape`
//!   gives rows the table's columns, `merge` merges sorted runs, `order` is their order, `scratch` is where they lie.
//! - `expire` removes days that are older than a table keeps.
//! - `vacuum` removes files from the store.
//! - `round` is what is done again and again: expire and optimize.
//! - `import` makes tables of the layers of releases before tables; `former` is how their files are called.
//! - `watch` tells of each step, and ends the work there.

mod error;
mod expire;
mod former;
mod import;
mod merge;
mod optimize;
mod order;
mod plan;
mod rewrite;
mod round;
mod scratch;
mod shape;
#[cfg(test)]
mod tests;
mod vacuum;
mod watch;

use std::iter::Sum;
use std::ops::{AddAssign, ControlFlow};

use serde::Serialize;

pub use error::UpkeepError;
pub use expire::Expired;
pub use import::{FormerLayer, Imported};
pub use optimize::Optimized;
pub use round::Kept;
pub use vacuum::Vacuumed;
pub use watch::Step;

use crate::error::LakeError;
use crate::lake::Listed;
use crate::table::{DataFile, NewFile, Snapshot, Table, TableSpec};
use watch::Watch;

/// The full size of a file, unless a table has another.
pub const FILE_BYTES: u64 = 128 << 20;

/// How upkeep works.
#[derive(Debug, Clone)]
pub struct Upkeep {
    now_ms: i64,
    dry_run: bool,
    file_bytes: Option<u64>,
    low_priority: bool,
    store_now_ms: Option<i64>,
    watch: Watch,
}

impl Upkeep {
    /// At this time, in milliseconds since the epoch.
    pub fn at(now_ms: i64) -> Self {
        Self {
            now_ms,
            dry_run: false,
            file_bytes: None,
            low_priority: false,
            store_now_ms: None,
            watch: Watch::default(),
        }
    }

    /// Whether it only says what it would do.
    pub fn dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// The full size of a file, whatever the table says.
    pub fn file_bytes(self, file_bytes: Option<u64>) -> Self {
        Self { file_bytes, ..self }
    }

    /// The table as it is, if it exists and Coinlake made it: what another program put beside is that program's to keep.
    async fn snapshot_of(&self, table: &Table) -> Result<Option<Snapshot>, LakeError> {
        Ok(table.snapshot().await?.filter(Snapshot::is_ours))
    }

    fn file_bytes_of(&self, spec: &TableSpec) -> u64 {
        self.file_bytes.or(spec.file_bytes).unwrap_or(FILE_BYTES)
    }

    /// Lets everything else go first, by the niceness of its thread.
    pub fn low_priority(self) -> Self {
        Self {
            low_priority: true,
            ..self
        }
    }

    /// The time by the store's clock, for tests that do not wait a day. Otherwise a file is written to ask for it.
    #[doc(hidden)]
    pub fn store_at(self, now_ms: i64) -> Self {
        Self {
            store_now_ms: Some(now_ms),
            ..self
        }
    }

    /// Tells `watch` of each step; a break ends the work there.
    pub fn watch(self, watch: impl Fn(Step) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self {
            watch: Watch::new(watch),
            ..self
        }
    }
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Rows in them.
    pub rows: u64,
}

impl Extent {
    fn of<'a, F>(files: &'a [F]) -> Self
    where
        &'a F: Into<Self>,
    {
        files.iter().map(Into::into).sum()
    }
}

impl From<&DataFile> for Extent {
    fn from(file: &DataFile) -> Self {
        Self {
            files: 1,
            bytes: file.bytes,
            rows: file.rows,
        }
    }
}

impl From<&NewFile> for Extent {
    fn from(file: &NewFile) -> Self {
        Self {
            files: 1,
            bytes: file.bytes,
            rows: file.rows,
        }
    }
}

/// A listing does not show rows.
impl From<&Listed> for Extent {
    fn from(file: &Listed) -> Self {
        Self {
            files: 1,
            bytes: file.bytes,
            rows: 0,
        }
    }
}

impl AddAssign for Extent {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.rows += other.rows;
    }
}

impl Sum for Extent {
    fn sum<I: Iterator<Item = Self>>(extents: I) -> Self {
        extents.fold(Self::default(), |mut sum, extent| {
            sum += extent;
            sum
        })
    }
}
