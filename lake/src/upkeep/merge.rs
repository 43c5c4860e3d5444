//! Sorted runs of rows: made in memory, and merged into one.
//!
//! A run is an iterator over batches whose rows ascend from the first batch to the last.

use arrow_array::RecordBatch;
use arrow_select::interleave::interleave_record_batch;

use super::error::RewriteError;
use super::order::{Keys, Order};

/// Rows of a batch: one of each run is in memory.
pub(super) const BATCH_ROWS: usize = 512;

/// Rows that ascend.
pub(super) type Run = Box<dyn Iterator<Item = Result<RecordBatch, RewriteError>>>;

/// Sorts batches. Equal rows stay in the order in which they are.
pub(super) fn sorted(batches: Vec<RecordBatch>, order: &Order) -> Run {
    let keys: Vec<Keys> = batches.iter().map(|batch| order.keys(batch)).collect();
    let rows = batches.iter().enumerate();
    let mut places: Vec<(usize, usize)> = rows
        .flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)))
        .collect();
    places.sort_by(|a, b| keys[a.0].compare(a.1, &keys[b.0], b.1));
    let mut begin = 0;
    Box::new(std::iter::from_fn(move || {
        let end = (begin + BATCH_ROWS).min(places.len());
        let picked = &places[begin..end];
        begin = end;
        let held: Vec<&RecordBatch> = batches.iter().collect();
        let batch = (!picked.is_empty()).then(|| interleave_record_batch(&held, picked));
        batch.map(|batch| batch.map_err(RewriteError::from))
    }))
}

/// Merges runs into batches for `emit`.
///
/// # Errors
/// Those of the runs and of `emit`.
pub(super) fn merge(
    runs: Vec<Run>,
    order: &Order,
    mut emit: impl FnMut(RecordBatch) -> Result<(), RewriteError>,
) -> Result<(), RewriteError> {
    let mut picks = Picks::default();
    let mut cursors = Vec::with_capacity(runs.len());
    for run in runs {
        cursors.extend(Cursor::open(run, order, &mut picks)?);
    }
    while let Some((least, next)) = two_least(&cursors) {
        // Rows of one run follow each other: they are compared with the next run only.
        while next.is_none_or(|next| goes_before(&cursors, least, next)) {
            let cursor = &mut cursors[least];
            picks.rows.push((cursor.batch, cursor.row));
            cursor.row += 1;
            let has_ended = cursor.row == cursor.rows && !cursor.advance(order, &mut picks)?;
            if has_ended {
                cursors.remove(least);
            }
            if picks.rows.len() >= BATCH_ROWS {
                emit(picks.take(&mut cursors)?)?;
            }
            if has_ended {
                break;
            }
        }
    }
    match picks.rows.is_empty() {
        true => Ok(()),
        false => emit(picks.take(&mut cursors)?),
    }
}

/// Where the merge is in one run.
struct Cursor {
    run: Run,
    keys: Keys,
    /// Its batch among those of [`Picks`].
    batch: usize,
    row: usize,
    rows: usize,
}

/// Rows chosen for the next batch, and the batches that they are in.
#[derive(Default)]
struct Picks {
    batches: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
}

impl Cursor {
    /// `None` for a run without a row.
    fn open(run: Run, order: &Order, picks: &mut Picks) -> Result<Option<Self>, RewriteError> {
        let mut cursor = Self {
            run,
            keys: Keys::default(),
            batch: 0,
            row: 0,
            rows: 0,
        };
        Ok(cursor.advance(order, picks)?.then_some(cursor))
    }

    /// Goes on to the next batch with rows; whether there is one.
    fn advance(&mut self, order: &Order, picks: &mut Picks) -> Result<bool, RewriteError> {
        for batch in self.run.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.keys = order.keys(&batch);
                (self.batch, self.row, self.rows) = (picks.batches.len(), 0, batch.num_rows());
                picks.batches.push(batch);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Picks {
    /// The rows chosen, as a batch. Keeps only batches that a cursor is in.
    fn take(&mut self, cursors: &mut [Cursor]) -> Result<RecordBatch, RewriteError> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let taken = interleave_record_batch(&batches, &self.rows)?;
        self.rows.clear();
        let mut kept = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            kept.push(self.batches[cursor.batch].clone());
            cursor.batch = kept.len() - 1;
        }
        self.batches = kept;
        Ok(taken)
    }
}

/// The runs whose next rows are the least and the second least.
fn two_least(cursors: &[Cursor]) -> Option<(usize, Option<usize>)> {
    let mut least = (!cursors.is_empty()).then_some(0)?;
    let mut next = None;
    for i in 1..cursors.len() {
        if goes_before(cursors, i, least) {
            (least, next) = (i, Some(least));
        } else if next.is_none_or(|next| goes_before(cursors, i, next)) {
            next = Some(i);
        }
    }
    Some((least, next))
}

/// Whether the next row of the run `a` goes before that of the run `b`: of equal ones, that of the earlier run.
fn goes_before(cursors: &[Cursor], a: usize, b: usize) -> bool {
    let (left, right) = (&cursors[a], &cursors[b]);
    let order = left.keys.compare(left.row, &right.keys, right.row);
    order.then(a.cmp(&b)).is_lt()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn batch(rows: &[(Option<&str>, i64, i64)]) -> RecordBatch {
        let coins: StringArray = rows.iter().map(|row| row.0).collect();
        let times: Int64Array = rows.iter().map(|row| row.1).collect::<Vec<_>>().into();
        let numbers: Int64Array = rows.iter().map(|row| row.2).collect::<Vec<_>>().into();
        let columns: [(&str, ArrayRef); 3] = [
            ("coin", Arc::new(coins)),
            ("at", Arc::new(times)),
            ("number", Arc::new(numbers)),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, c)| (name, c, true))).unwrap()
    }

    fn rows(batches: &[RecordBatch]) -> Vec<(Option<String>, i64, i64)> {
        let of = |batch: &RecordBatch| -> Vec<_> {
            let coins = batch["coin"].as_string::<i32>().clone();
            let times = batch["at"].as_primitive::<Int64Type>().clone();
            let numbers = batch["number"].as_primitive::<Int64Type>().clone();
            let row = |i| {
                let coin = coins.iter().nth(i).flatten().map(str::to_owned);
                (coin, times.value(i), numbers.value(i))
            };
            (0..batch.num_rows()).map(row).collect()
        };
        batches.iter().flat_map(of).collect()
    }

    #[test]
    fn any_runs_are_merged_as_if_all_rows_were_sorted_at_once() {
        let columns = ["coin", "at", "missing"].map(str::to_owned).to_vec();
        let order = Order { columns, day: None };
        for seed in 0..200 {
            let mut random = rand::rngs::StdRng::seed_from_u64(seed);
            let (mut runs, mut all): (Vec<Run>, Vec<_>) = (Vec::new(), Vec::new());
            let few = random.random_bool(0.5);
            for _ in 0..random.random_range(0..6) {
                let mut batches = Vec::new();
                for _ in 0..random.random_range(0..4) {
                    let size = random.random_range(0..if few { 5 } else { 700 });
                    let coins = [None, Some("bitcoin"), Some("ethereum"), Some("z")];
                    let one = |i| {
                        (
                            coins[random.random_range(0..4)],
                            random.random_range(0..9),
                            i,
                        )
                    };
                    let rows: Vec<_> = (0..size).map(one).collect();
                    batches.push(batch(&rows));
                }
                all.extend(rows(&batches));
                runs.push(sorted(batches, &order));
            }
            let mut merged = Vec::new();
            let emit = |batch: RecordBatch| {
                assert!(batch.num_rows() <= BATCH_ROWS);
                merged.push(batch);
                Ok(())
            };
            merge(runs, &order, emit).unwrap();
            all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
            assert_eq!(rows(&merged), all, "seed {seed}");
        }
    }
}
