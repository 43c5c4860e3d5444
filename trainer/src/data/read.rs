//! Reads a snapshot of a layer: only the files and row groups that may have rows in the range, and only the columns needed.
//!
//! No row of a file is later than its date; some may be earlier. So a file is skipped by its statistics or its date, and a row
//! is selected by its own event_time.

use std::time::Duration;

use arrow_array::RecordBatch;
use futures_util::{Stream, StreamExt, TryFutureExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use lake::{DataFile, Lake, LakeError, LakeUrl, Snapshot};
use market::model::{INPUTS, Inputs};
use market::names;
use parquet::arrow::ProjectionMask;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::columns::{self, COLUMNS, Columns, RULE_COLUMNS, ReadRow, millis};
use super::error::DataError;
use super::range::TimeRange;
use super::rows::{Rows, RowsBuilder};

/// The layer that models are trained on.
pub const LAYER: &str = names::layer::FEATURES;

/// How many files are read at a time. Each holds the needed columns of one row group.
const FILES_AT_ONCE: usize = 4;

/// Opens an existing lake for reading.
///
/// # Errors
/// When the address is not valid, no lake is there, or it has no layer of features.
pub fn open_lake(address: &str) -> Result<Lake, DataError> {
    let url = LakeUrl::parse(address).map_err(|reason| LakeError::Unusable {
        lake: address.to_owned(),
        reason,
    })?;
    if let Some(folder) = url.folder() {
        let lake = || address.to_owned();
        if !folder.is_dir() {
            return Err(DataError::NoLake(lake()));
        }
        if !folder.join(LAYER).is_dir() {
            return Err(DataError::NoRows { lake: lake() });
        }
    }
    Ok(Lake::open_existing(&url)?)
}

/// The last `span` of a lake, up to the event time of its newest row.
///
/// # Errors
/// When the lake cannot be read, or has no rows.
pub async fn last(lake: &Lake, span: Duration) -> Result<TimeRange, DataError> {
    last_of(&snapshot(lake).await?, span)
}

fn last_of(snapshot: &Snapshot, span: Duration) -> Result<TimeRange, DataError> {
    let files = snapshot.files().iter();
    let end = files
        .filter_map(|file| file.bounds("event_time"))
        .map(|(_, last)| last)
        .max();
    let end = end.ok_or_else(|| DataError::NoRows {
        lake: snapshot.table().lake().to_string(),
    })?;
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Ok(TimeRange::since_ms(
        end.saturating_sub(span).saturating_add(1),
    ))
}

/// Reads the rows of `lake/features` in a range whose features are of the current version.
///
/// # Errors
/// When the lake cannot be read, a column is missing, or the range has no such row.
pub async fn read_rows(
    lake: &Lake,
    range: TimeRange,
    progress: &ProgressBar,
) -> Result<Rows, DataError> {
    rows_of(&Features::open(lake, range).await?, progress).await
}

/// Reads the rows of the last `span`, up to the event time of the newest row.
///
/// # Errors
/// As [`last`] and [`read_rows`].
pub async fn read_last(lake: &Lake, span: Duration) -> Result<Rows, DataError> {
    let snapshot = snapshot(lake).await?;
    let features = Features::of(&snapshot, last_of(&snapshot, span)?)?;
    rows_of(&features, &ProgressBar::hidden()).await
}

async fn rows_of(features: &Features, progress: &ProgressBar) -> Result<Rows, DataError> {
    let mut builder = RowsBuilder::default();
    let add = |_, row: ReadRow<'_>| {
        let inputs = row.inputs();
        builder.add(row, inputs);
    };
    features.each_row(&COLUMNS, progress, add).await?;
    features.whole(builder.build())
}

/// The layer as it is now, as far as it may have rows in a range: read first for labels, which need all rows but few columns,
/// then for the inputs of the rows that are learned from.
#[derive(Debug)]
pub struct Features {
    lake: Lake,
    range: TimeRange,
    files: Vec<DataFile>,
}

/// Where a row is that [`Features`] have read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: u32,
    /// Its number among the rows read of the file.
    row: u32,
}

impl Features {
    /// Finds the files.
    ///
    /// # Errors
    /// When the lake cannot be read, or a column is missing.
    pub async fn open(lake: &Lake, range: TimeRange) -> Result<Self, DataError> {
        Self::of(&snapshot(lake).await?, range)
    }

    fn of(snapshot: &Snapshot, range: TimeRange) -> Result<Self, DataError> {
        let lake = snapshot.table().lake();
        columns::check(&format!("{lake}/{LAYER}"), snapshot.spec())?;
        let files = snapshot.files().iter().filter(|file| may_have(file, range));
        Ok(Self {
            lake: lake.clone(),
            range,
            files: files.cloned().collect(),
        })
    }

    /// Reads the rows whose features are of the current version, without their inputs.
    ///
    /// # Errors
    /// When the lake cannot be read, or the range has no such row.
    pub async fn rows(&self, progress: &ProgressBar) -> Result<Rows<Place>, DataError> {
        let rows: u64 = self.files.iter().map(|file| file.rows).sum();
        let mut builder = RowsBuilder::with_capacity(usize::try_from(rows).unwrap_or(0));
        let add = |place, row: ReadRow<'_>| builder.add(row, place);
        self.each_row(&RULE_COLUMNS, progress, add).await?;
        self.whole(builder.build())
    }

    /// Reads the models' inputs of rows, in the order of their places.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub async fn inputs(
        &self,
        parts: &[&[Place]],
        progress: &ProgressBar,
    ) -> Result<Vec<Vec<Inputs>>, DataError> {
        let mut wanted: Vec<(Place, usize, usize)> = Vec::new();
        for (part, places) in parts.iter().enumerate() {
            wanted.extend(
                places
                    .iter()
                    .enumerate()
                    .map(|(row, place)| (*place, part, row)),
            );
        }
        wanted.sort_unstable();
        let mut read: Vec<Vec<Inputs>> = parts
            .iter()
            .map(|places| vec![[f64::NAN; INPUTS.len()]; places.len()])
            .collect();
        let take = |first: Place, columns: &Columns<'_>| {
            let begin = wanted.partition_point(|(place, ..)| *place < first);
            for (place, part, row) in &wanted[begin..] {
                let offset = place.row.wrapping_sub(first.row) as usize;
                if place.file != first.file || offset >= columns.len() {
                    break;
                }
                if let Some(found) = columns.row(offset) {
                    read[*part][*row] = found.inputs();
                }
            }
        };
        self.each_batch(&COLUMNS, progress, take).await?;
        Ok(read)
    }

    /// Reads columns, and gives the rows that lie in the range.
    async fn each_row(
        &self,
        names: &'static [&'static str],
        progress: &ProgressBar,
        mut take: impl FnMut(Place, ReadRow<'_>),
    ) -> Result<(), DataError> {
        let rows = |first: Place, columns: &Columns<'_>| {
            for (offset, number) in (0..columns.len()).zip(first.row..) {
                let row = columns.row(offset);
                if let Some(row) = row.filter(|row| self.range.contains(row.event_time)) {
                    take(
                        Place {
                            row: number,
                            ..first
                        },
                        row,
                    );
                }
            }
        };
        self.each_batch(names, progress, rows).await
    }

    /// Reads columns, and gives each batch with the place of its first row. All rows that may be in the range are read, in the
    /// same order of each file every time.
    async fn each_batch(
        &self,
        names: &'static [&'static str],
        progress: &ProgressBar,
        mut take: impl FnMut(Place, &Columns<'_>),
    ) -> Result<(), DataError> {
        progress.reset();
        progress.set_style(
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}, {eta} left")
                .expect("the template is well-formed"),
        );
        progress.set_message(format!("reading {}/{LAYER}", self.lake));
        progress.set_length(self.files.iter().map(|file| file.bytes).sum());
        let mut read = vec![0; self.files.len()];
        let mut batches = stream::iter((0..).zip(self.files.clone()))
            .map(|(file, data): (u32, DataFile)| {
                let bytes = data.bytes;
                let done = stream::poll_fn(move |_| {
                    progress.inc(bytes);
                    std::task::Poll::Ready(None)
                });
                batches(&self.lake, data, self.range, names)
                    .try_flatten_stream()
                    .map_ok(move |(path, batch)| (file, path, batch))
                    .chain(done)
                    .boxed()
            })
            .flatten_unordered(FILES_AT_ONCE);
        while let Some((file, path, batch)) = batches.try_next().await? {
            let row: &mut u32 = &mut read[file as usize];
            take(Place { file, row: *row }, &Columns::of(&path, &batch)?);
            *row += u32::try_from(batch.num_rows()).expect("fewer rows than fit in memory");
        }
        progress.finish_and_clear();
        Ok(())
    }

    /// The rows, unless there are none.
    fn whole<I>(&self, rows: Rows<I>) -> Result<Rows<I>, DataError> {
        if !rows.is_empty() {
            return Ok(rows);
        }
        let (lake, range) = (self.lake.to_string(), self.range);
        Err(match rows.of_other_features() {
            0 if range.is_bounded() => DataError::NoRowsInRange { lake, range },
            0 => DataError::NoRows { lake },
            rows => DataError::OtherFeatures { lake, rows },
        })
    }
}

async fn snapshot(lake: &Lake) -> Result<Snapshot, DataError> {
    let snapshot = lake.table(LAYER).snapshot().await?;
    snapshot.ok_or_else(|| DataError::NoRows {
        lake: lake.to_string(),
    })
}

fn may_have(file: &DataFile, range: TimeRange) -> bool {
    match file.bounds("event_time") {
        Some((first, last)) => range.overlaps(first, last),
        None => !(file.date.as_ref()).is_some_and(|date| range.is_after_date(date)),
    }
}

/// Columns of a file's row groups that may have rows in the range, with the file's name.
async fn batches(
    lake: &Lake,
    file: DataFile,
    range: TimeRange,
    names: &'static [&'static str],
) -> Result<impl Stream<Item = Result<(String, RecordBatch), DataError>> + use<>, DataError> {
    let path = format!("{lake}/{}", file.path);
    let unreadable = {
        let path = path.clone();
        move |reason: String| DataError::Unreadable {
            path: path.clone(),
            reason,
        }
    };
    let rows = lake.rows_sized(&file.path, file.bytes).await?;
    let groups = rows.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| {
        event_times(group).is_none_or(|(first, last)| range.overlaps(first, last))
    });
    let groups = groups.map(|(index, _)| index).collect();
    let mask = ProjectionMask::columns(rows.parquet_schema(), names.iter().copied());
    let rows = rows
        .with_projection(mask)
        .with_row_groups(groups)
        .build()
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(rows
        .map_ok(move |batch| (path.clone(), batch))
        .map_err(move |error| unreadable(error.to_string())))
}

/// The first and last event time of a row group, if its statistics have them.
fn event_times(row_group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let mut columns = row_group.columns().iter();
    let times = columns.find(|column| column.column_path().string() == "event_time")?;
    match times.statistics()? {
        Statistics::Int64(times) => Some((millis(*times.min_opt()?), millis(*times.max_opt()?))),
        _ => None,
    }
}
