//! What is known of the lake's tables.
//!
//! Always true: a table's log is looked at once in [`FRESH`] at most, however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lake::{Lake, LakeError, Snapshot, Summary};

/// How long what is known of a table is good enough.
const FRESH: Duration = Duration::from_secs(10);

/// The tables of a lake, as of some seconds ago. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Tables {
    lake: Lake,
    known: Arc<Mutex<HashMap<String, Slot>>>,
}

type Slot = Arc<tokio::sync::Mutex<Known>>;

/// What is known of a table, and since when.
#[derive(Default)]
struct Known {
    what: What,
    looked: Option<Instant>,
}

#[derive(Default)]
enum What {
    #[default]
    Nothing,
    /// There is no such table.
    Absent,
    /// Its figures, which the newest entry has.
    Figures(Summary),
    /// Everything.
    Snapshot(Arc<Snapshot>),
}

impl Tables {
    /// The tables of this lake. Nothing is read yet.
    pub fn new(lake: Lake) -> Self {
        Self {
            lake,
            known: Arc::default(),
        }
    }

    /// The lake they are in.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// A table's rows, size and positions; `None` when there is no such table.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn summary(&self, table: &str) -> Result<Option<Summary>, LakeError> {
        let slot = self.slot(table);
        let mut known = slot.lock().await;
        if !known.is_fresh() {
            match &mut known.what {
                What::Snapshot(snapshot) => follow(snapshot).await?,
                what => {
                    let found = self.lake.table(table).summary().await?;
                    *what = found.map_or(What::Absent, What::Figures);
                }
            }
            known.looked = Some(Instant::now());
        }
        Ok(match &known.what {
            What::Nothing | What::Absent => None,
            What::Figures(summary) => Some(summary.clone()),
            What::Snapshot(snapshot) => Some(snapshot.summary()),
        })
    }

    /// A table's files and everything else that counts; `None` when there is no such table. Once asked for, it is kept and
    /// followed.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn snapshot(&self, table: &str) -> Result<Option<Arc<Snapshot>>, LakeError> {
        let slot = self.slot(table);
        let mut known = slot.lock().await;
        let is_fresh = known.is_fresh();
        match &mut known.what {
            What::Snapshot(_) | What::Absent if is_fresh => {}
            What::Snapshot(snapshot) => {
                follow(snapshot).await?;
                known.looked = Some(Instant::now());
            }
            what => {
                let found = self.lake.table(table).snapshot().await?;
                *what = found.map_or(What::Absent, |snapshot| What::Snapshot(Arc::new(snapshot)));
                known.looked = Some(Instant::now());
            }
        }
        Ok(match &known.what {
            What::Snapshot(snapshot) => Some(Arc::clone(snapshot)),
            _ => None,
        })
    }

    fn slot(&self, table: &str) -> Slot {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(table.to_owned()).or_default())
    }
}

/// Goes on to the newest entry, or stays as it is, also when whoever asked does not wait for it.
async fn follow(snapshot: &mut Arc<Snapshot>) -> Result<(), LakeError> {
    Arc::make_mut(snapshot).refresh().await.map(drop)
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.looked.is_some_and(|at| at.elapsed() < FRESH)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use fixtures::tables::append;

    use super::*;

    #[tokio::test]
    async fn a_table_is_looked_at_once_in_ten_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_str(folder.path().to_str().unwrap(), []).unwrap();
        let tables = Tables::new(lake);
        let more = |offset| {
            let price: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
            let rows = RecordBatch::try_from_iter([("price", price)]).unwrap();
            append(folder.path(), "raw", "2025-06-01", (0, offset), &rows);
        };
        let rows = async || {
            let summary = tables.summary("raw").await.unwrap();
            summary.map(|summary| summary.rows)
        };
        let later = async || tables.slot("raw").lock().await.looked = None;

        assert_eq!(rows().await, None);
        more(0);
        assert_eq!(rows().await, None, "as of seconds ago");
        assert!(tables.snapshot("raw").await.unwrap().is_none());
        later().await;
        assert_eq!(rows().await, Some(1));
        more(1);
        assert_eq!(rows().await, Some(1));
        // A first snapshot is new; then there is one look for both.
        let snapshot = tables.snapshot("raw").await.unwrap().unwrap();
        assert_eq!(snapshot.files().len(), 2);
        more(2);
        assert_eq!(rows().await, Some(2));
        later().await;
        assert_eq!(rows().await, Some(3));
        let next = tables.snapshot("raw").await.unwrap().unwrap();
        assert_eq!((snapshot.files().len(), next.files().len()), (2, 3));
    }
}
