//! Reading a lake: rows are found by their own time, and what cannot be learned from is said in a sentence.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fixtures::tables;
use indicatif::ProgressBar;
use trainer::data::{DataError, Rows, last, open_lake, read_rows};
use trainer::{TimeRange, TrainSettings, train};

use crate::market::{BEGIN_MS, FeatureRow, HOUR_MS, announced_jumps, quiet, rows, write};

async fn read(lake: &Path, range: TimeRange) -> Result<Rows, DataError> {
    let lake = open_lake(lake.to_str().unwrap())?;
    read_rows(&lake, range, &ProgressBar::hidden()).await
}

#[track_caller]
fn range(from: Option<&str>, to: Option<&str>) -> TimeRange {
    TimeRange::parse(from, to).unwrap()
}

#[tokio::test]
async fn rows_are_found_by_their_own_time() {
    let lake = tempfile::tempdir().unwrap();
    let mut all = announced_jumps(3, 1);
    // A late tick: of the first day, in a file of the second.
    let late = all.remove(700);
    let (first, rest) = all.split_at(2 * 1440 - 1);
    let (second, third) = rest.split_at(2 * 1440);
    let mut second: Vec<FeatureRow> = second.to_vec();
    second.insert(5, late);
    write(lake.path(), 0, first, &[]);
    write(lake.path(), 10_000, &second[..2000], &[]);
    write(lake.path(), 20_000, &second[2000..], &[]);
    write(lake.path(), 30_000, third, &[]);
    let whole = announced_jumps(3, 1);

    for (from, to) in [
        (None, None),
        (Some("2025-06-01"), None),
        (Some("2025-06-01T05:00:00Z"), Some("2025-06-01T06:30:00Z")),
        (None, Some("2025-06-02")),
        (Some("2025-06-02T23:59:00Z"), Some("2025-06-03T00:01:00Z")),
        (Some("2025-06-03"), Some("2025-07-01")),
    ] {
        let range = range(from, to);
        let wanted: Vec<FeatureRow> = whole
            .iter()
            .filter(|row| range.contains(row.event_time))
            .cloned()
            .collect();
        let found = read(lake.path(), range).await.unwrap();
        assert_eq!(found.len(), wanted.len(), "{range}");
        // NaN is no equal of its own: as text.
        assert_eq!(
            format!("{found:?}"),
            format!("{:?}", rows(&wanted)),
            "{range}"
        );
    }
}

#[tokio::test]
async fn the_last_of_a_lake_ends_with_its_newest_row() {
    let folder = tempfile::tempdir().unwrap();
    let all = announced_jumps(3, 1);
    let newest = all.iter().map(|row| row.event_time).max().unwrap();
    // The newest row is not in the file that was written last.
    for (number, day) in all.chunks(2 * 1440).rev().enumerate() {
        write(folder.path(), number * 10_000, day, &[]);
    }
    let lake = open_lake(folder.path().to_str().unwrap()).unwrap();
    for hours in [1, 24, 30, 1_000] {
        let range = last(&lake, Duration::from_hours(hours)).await.unwrap();
        let since = newest - i64::try_from(hours).unwrap() * HOUR_MS;
        let wanted = all.iter().filter(|row| row.event_time > since).count();
        assert_eq!(
            read(folder.path(), range).await.unwrap().len(),
            wanted,
            "{hours} h"
        );
    }
}

#[tokio::test]
async fn where_nothing_is_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("lake");
    let says = |problem: DataError| problem.to_string();
    assert!(says(read(&missing, TimeRange::default()).await.unwrap_err()).contains("no lake at"));
    assert!(!missing.exists(), "looking for a lake must not make one");

    fs::create_dir(&missing).unwrap();
    let empty = says(read(&missing, TimeRange::default()).await.unwrap_err());
    assert!(
        empty.contains("has no rows: let the platform run"),
        "{empty}"
    );

    write(&missing, 0, &quiet(100), &[]);
    let past = says(
        read(&missing, range(None, Some("2025-01-01")))
            .await
            .unwrap_err(),
    );
    assert!(
        past.contains("no rows before 2025-01-01T00:00:00Z"),
        "{past}"
    );
}

#[tokio::test]
async fn a_lake_that_is_not_what_it_should_be_is_named() {
    let lake = tempfile::tempdir().unwrap();
    let minutes = quiet(300);
    write(lake.path(), 0, &minutes[..150], &["zscore_15m"]);
    let problem = read(lake.path(), TimeRange::default()).await.unwrap_err();
    assert!(
        problem
            .to_string()
            .contains("features has no column `zscore_15m`"),
        "{problem}"
    );

    // A column that was added: rows from before have none.
    write(lake.path(), 150, &minutes[150..], &[]);
    let rows = read(lake.path(), TimeRange::default()).await.unwrap();
    assert_eq!(rows.len(), 300);

    let snapshot = tables::snapshot(lake.path(), "features").unwrap();
    let file = |first| {
        let mut files = snapshot.files().iter();
        let file = files.find(|file| file.path.contains(&format!("{first:020}")));
        file.unwrap().path.clone()
    };
    let torn = file(150);
    fs::write(lake.path().join(&torn), b"PAR1 and no more").unwrap();
    let problem = read(lake.path(), TimeRange::default()).await.unwrap_err();
    assert!(problem.to_string().contains(&torn), "{problem}");
    // Out of the range it is in nobody's way.
    let until = jiff::Timestamp::from_millisecond(BEGIN_MS + 2 * HOUR_MS).unwrap();
    let before = range(None, Some(&until.to_string()));
    assert_eq!(read(lake.path(), before).await.unwrap().len(), 120);
}

/// Rows of former features, in files without the new columns and in files that have them, beside rows of today's.
#[tokio::test]
async fn only_rows_of_todays_features_are_learned_from() {
    let lake = tempfile::tempdir().unwrap();
    let mut minutes = quiet(300);
    write(
        lake.path(),
        0,
        &minutes[..100],
        &["features_version", "move_15m"],
    );
    let problem = read(lake.path(), TimeRange::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains(
            "features has 100 rows, none of which has the features of this version of Coinlake"
        ),
        "{problem}"
    );
    for row in &mut minutes[100..150] {
        row.windows.features_version = Some(1);
    }
    write(lake.path(), 100, &minutes[100..], &[]);
    let rows = read(lake.path(), TimeRange::default()).await.unwrap();
    assert_eq!((rows.len(), rows.of_other_features()), (150, 150));
    assert_eq!(rows.range().unwrap().0, minutes[150].event_time);
}

#[tokio::test]
async fn too_little_is_not_learned_from() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), 0, &quiet(300), &[]);
    let settings = TrainSettings::of_lake(lake.path().to_str().unwrap());
    let problem = train(&settings, &ProgressBar::hidden())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains("anomaly_ahead: ") && problem.contains("trend_up: "),
        "{problem}"
    );
    assert!(problem.contains("too few"), "{problem}");
}
