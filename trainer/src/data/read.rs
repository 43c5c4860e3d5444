//! Reads a layer file by file: only the columns needed, only the rows in the range.
//!
//! No row of a file is later than its `date=` folder; some may be earlier. So a file is skipped by its date or its
//! statistics, and a row is selected by its own event_time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use lake::{DataFile, Lake, LakeError, LakeUrl};
use market::names;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::columns::decode;
use super::error::DataError;
use super::range::TimeRange;
use super::rows::{Rows, RowsBuilder};

/// The layer that models are trained on.
pub const LAYER: &str = names::layer::FEATURES;

/// How many files are fetched at a time, while one is decoded.
const FILES_AHEAD: usize = 4;

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
    let mut files = lake.files(LAYER).await?;
    let newest = files.iter().filter_map(DataFile::date).max();
    let newest = newest.map(str::to_owned);
    files.retain(|file| file.date() == newest.as_deref());
    let mut end = None;
    for file in files {
        let metadata = lake.metadata(&file.path).await?;
        for (_, last) in metadata.row_groups().iter().filter_map(event_times) {
            end = end.max(Some(last));
        }
    }
    let end = end.ok_or_else(|| DataError::NoRows {
        lake: lake.to_string(),
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
    let mut files = lake.files(LAYER).await?;
    if files.is_empty() {
        return Err(DataError::NoRows {
            lake: lake.to_string(),
        });
    }
    files.retain(|file| !file.date().is_some_and(|date| range.is_after_date(date)));
    progress.set_style(
        ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}")
            .expect("the template is well-formed"),
    );
    progress.set_message(format!("reading {lake}/{LAYER}"));
    progress.set_length(files.iter().map(|file| file.bytes).sum());

    let mut builder = RowsBuilder::default();
    let mut fetched = stream::iter(files)
        .map(|file| async move {
            let contents = fetch(lake, &file, range).await?;
            Ok::<_, DataError>((file, contents))
        })
        .buffered(FILES_AHEAD);
    while let Some((file, contents)) = fetched.try_next().await? {
        if let Some((contents, row_groups)) = contents {
            let path = format!("{lake}/{}", file.path);
            decode(&path, contents, row_groups, range, &mut builder)?;
        }
        progress.inc(file.bytes);
    }
    progress.finish_and_clear();
    let rows = builder.build();
    if rows.is_empty() {
        let lake = lake.to_string();
        return Err(match rows.of_other_features() {
            0 if range.is_bounded() => DataError::NoRowsInRange { lake, range },
            0 => DataError::NoRows { lake },
            rows => DataError::OtherFeatures { lake, rows },
        });
    }
    Ok(rows)
}

/// A file's contents and the row groups that may have rows in the range; `None` if there are none.
async fn fetch(
    lake: &Lake,
    file: &DataFile,
    range: TimeRange,
) -> Result<Option<(Bytes, Vec<usize>)>, DataError> {
    let row_groups = row_groups(&lake.metadata(&file.path).await?, range);
    if row_groups.is_empty() {
        return Ok(None);
    }
    Ok(Some((lake.read(&file.path).await?, row_groups)))
}

fn row_groups(metadata: &ParquetMetaData, range: TimeRange) -> Vec<usize> {
    let may_have = |index: &usize| {
        let times = event_times(metadata.row_group(*index));
        times.is_none_or(|(first, last)| range.overlaps(first, last))
    };
    (0..metadata.num_row_groups()).filter(may_have).collect()
}

/// The first and last event time of a row group, if its statistics have them.
fn event_times(row_group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let mut columns = row_group.columns().iter();
    let times = columns.find(|column| column.column_path().string() == "event_time")?;
    match times.statistics()? {
        Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
        _ => None,
    }
}
