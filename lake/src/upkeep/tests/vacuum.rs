//! Files that nobody needs, and days past their time.

use std::fs::File;
use std::time::SystemTime;

use faults::SmallDisk;

use super::*;

#[tokio::test]
async fn vacuum_takes_what_nobody_needs_and_nothing_else() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 130).await;
    let now = MIDNIGHT + 130 * MINUTE_MS;
    let before = fixture.snapshot().await;
    let upkeep = Upkeep::at(now);
    upkeep.optimize(&fixture.table).await.unwrap();
    let unnamed = put(&fixture.table, &fixture.written[..3], now).await;
    let unnamed = fixture.folder.path().join("ticks").join(unnamed.path);
    // Nothing is a day old.
    let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
    assert_eq!((report.data.files, report.log.files), (0, 0));
    assert_eq!(rows(&before).await.len(), 390);

    // A day later by the store's clock, but the removals are younger by the log's: readers may still want those files.
    let store_now_ms = Some(jiff::Timestamp::now().as_millisecond() + DAY_MS + HOUR_MS);
    let upkeep = Upkeep {
        store_now_ms,
        ..Upkeep::at(now + HOUR_MS)
    };
    let dry = upkeep
        .clone()
        .dry_run(true)
        .vacuum(&fixture.table)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(dry.data.files, 1);
    assert!(unnamed.exists());
    let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
    assert_eq!(report.data.files, 1);
    assert!(!unnamed.exists());
    assert_eq!(rows(&before).await.len(), 390);
    fixture.check().await;
    // The log: what the newest checkpoint covers went.
    assert!(report.log.files > 90, "{report:?}");
    let history = fixture.table.history(1000).await.unwrap().unwrap();
    assert!(history.len() < 40, "{}", history.len());
    // It goes on: a writer that slept meanwhile, though the numbers of the removed entries look free, and a reader from
    // nothing.
    fixture.writer.forget_reading().await;
    fixture.minutes(now, 3).await;
    fixture.check().await;

    let upkeep = Upkeep {
        store_now_ms,
        ..Upkeep::at(now + DAY_MS + HOUR_MS)
    };
    let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
    assert_eq!(report.data.files, 120);
    fixture.check().await;
    let mut before = before;
    // Those of the hour that ran are still in use.
    let live = fixture.snapshot().await;
    let is_live = |path: &str| live.files().iter().any(|file| file.path == path);
    for file in before.files() {
        let is_there = fixture.lake.rows(&file.path).await.is_ok();
        assert_eq!(is_there, is_live(&file.path), "{}", file.path);
    }
    before.forget_reading();
    before.refresh().await.unwrap();
    assert_eq!(rows(&before).await.len(), 399);
}

#[tokio::test]
async fn a_quiet_table_keeps_its_newest_entry() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 5).await;
    let store_now_ms = Some(jiff::Timestamp::now().as_millisecond() + 2 * DAY_MS);
    let upkeep = Upkeep {
        store_now_ms,
        ..Upkeep::at(MIDNIGHT + 2 * DAY_MS)
    };
    for _ in 0..2 {
        upkeep.vacuum(&fixture.table).await.unwrap();
        fixture.check().await;
        let history = fixture.table.history(100).await.unwrap().unwrap();
        assert_eq!(history.iter().map(|e| e.version).collect::<Vec<_>>(), [5]);
    }
    // The writer of before goes on.
    fixture.writer.forget_reading().await;
    fixture.minutes(MIDNIGHT + HOUR_MS, 2).await;
    fixture.check().await;
}

#[tokio::test]
async fn whole_days_expire() {
    let mut fixture = Fixture::new().await;
    for day in 0..4 {
        fixture.minutes(MIDNIGHT + day * DAY_MS, 2).await;
    }
    let upkeep = Upkeep::at(MIDNIGHT + 3 * DAY_MS + HOUR_MS);
    let keep = Some(Duration::from_secs(2 * 86_400));
    let dry = upkeep
        .clone()
        .dry_run(true)
        .expire(&fixture.table, keep)
        .await;
    let before = fixture.snapshot().await;
    let report = upkeep.expire(&fixture.table, keep).await.unwrap().unwrap();
    assert_eq!(dry.unwrap().unwrap(), report);
    assert_eq!((report.removed.files, report.removed.rows), (2, 6));
    let first = "2025-06-02".to_owned();
    assert_eq!(report.dates, Some((first.clone(), first)));
    fixture.written.retain(|row| row.1 >= MIDNIGHT + DAY_MS);
    fixture.check().await;
    // Empty folders go as files do: when they are a day old.
    let table = fixture.folder.path().join("ticks");
    std::fs::create_dir(table.join("date=2025-06-01")).unwrap();
    let clock_ms = jiff::Timestamp::now().as_millisecond();
    for (hours, files, folders) in [(23, 0, 5), (25, 2, 3)] {
        let upkeep = Upkeep::at(MIDNIGHT + 6 * DAY_MS).store_at(clock_ms + hours * HOUR_MS);
        let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
        let of_days = std::fs::read_dir(&table).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with("date=")
        });
        assert_eq!((report.data.files, of_days.count()), (files, folders));
    }
    fixture.check().await;
    // Whoever reads an old snapshot for that long is told to read the table again.
    let error = fixture
        .lake
        .rows(&before.files()[0].path)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, LakeError::Gone { .. }) && error.is_transient(),
        "{error}"
    );
    // A clock that is a year ahead counts from a day after the newest file.
    let ahead = Upkeep::at(MIDNIGHT + 400 * DAY_MS);
    let report = ahead.expire(&fixture.table, keep).await.unwrap().unwrap();
    assert_eq!(report.removed.rows, 6);
    fixture.written.retain(|row| row.1 >= MIDNIGHT + 2 * DAY_MS);
    fixture.check().await;
}

#[tokio::test]
async fn a_clock_far_ahead_expires_nothing_though_rows_were_added_by_it() {
    let mut fixture = Fixture::new().await;
    for day in 0..4 {
        fixture.minutes(MIDNIGHT + day * DAY_MS, 2).await;
    }
    let keep = Some(Duration::from_secs(2 * 86_400));
    let at = MIDNIGHT + 400 * DAY_MS;
    fixture.commit(MIDNIGHT + 3 * DAY_MS, at).await;
    for (now, first_kept) in [(at, 2), (at + 23 * HOUR_MS, 2)] {
        let upkeep = Upkeep::at(now);
        upkeep.expire(&fixture.table, keep).await.unwrap().unwrap();
        let first_kept = MIDNIGHT + first_kept * DAY_MS;
        fixture.written.retain(|row| row.1 >= first_kept);
        fixture.check().await;
        fixture.commit(now, now).await;
    }
    // Rows of a day: the lake was off for a year.
    fixture.commit(at + DAY_MS, at + DAY_MS).await;
    let upkeep = Upkeep::at(at + DAY_MS);
    upkeep.expire(&fixture.table, keep).await.unwrap().unwrap();
    fixture.written.retain(|row| row.1 >= at);
    fixture.check().await;
}

#[tokio::test]
async fn an_expiry_that_another_has_overtaken_names_no_days() {
    let mut fixture = Fixture::new().await;
    for day in 0..4 {
        fixture.minutes(MIDNIGHT + day * DAY_MS, 2).await;
    }
    let upkeep = Upkeep::at(MIDNIGHT + 3 * DAY_MS + HOUR_MS);
    let keep = Some(Duration::from_secs(2 * 86_400));
    let mut stale = fixture.snapshot().await;
    let first = upkeep.expire(&fixture.table, keep).await.unwrap().unwrap();
    assert!(first.dates.is_some());
    let second = upkeep.expire_from(&mut stale, keep).await.unwrap();
    assert_eq!((second.removed, second.dates), (Extent::default(), None));
    assert!(second.given_up.is_some());
}

#[tokio::test]
async fn an_append_only_table_expires_nothing() {
    let mut fixture = Fixture::new().await;
    for day in 0..4 {
        fixture.minutes(MIDNIGHT + day * DAY_MS, 2).await;
    }
    let mut metadata = fixture.writer.metadata().await;
    metadata
        .configuration
        .insert("delta.appendOnly".to_owned(), "true".to_owned());
    let mut transaction = Transaction::describe(metadata, MIDNIGHT);
    fixture.writer.commit(&mut transaction).await.unwrap();
    let upkeep = Upkeep::at(MIDNIGHT + 3 * DAY_MS);
    let keep = Some(Duration::from_secs(86_400));
    let report = upkeep.expire(&fixture.table, keep).await.unwrap().unwrap();
    assert_eq!(report.removed, Extent::default());
    let reason = report.given_up.unwrap();
    assert!(reason.contains("delta.appendOnly"), "{reason}");
    fixture.check().await;
    // The same rows in other files are no change.
    let report = upkeep.optimize(&fixture.table).await.unwrap().unwrap();
    assert!(report.rewritten.files > 0);
    fixture.check().await;
}

/// Where no byte can be written, space is freed all the same.
#[tokio::test]
async fn a_full_disk_is_vacuumed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path(), "256k") else {
        return;
    };
    let folder = tempfile::tempdir_in(disk.path()).unwrap();
    let mut fixture = Fixture::new_in(folder).await;
    fixture.minutes(MIDNIGHT, 4).await;
    let root = fixture.folder.path().to_owned();
    let unnamed = put(&fixture.table, &fixture.written[..3], MIDNIGHT).await;
    let unnamed = root.join("ticks").join(unnamed.path);
    let (half, young) = (root.join("_tmp/half"), root.join("_tmp/young"));
    for path in [&half, &young] {
        std::fs::write(path, "half").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 86_400);
    let entries = std::fs::read_dir(root.join("ticks/_delta_log")).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    for path in entries.chain([unnamed.clone(), half.clone()]) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    disk.fill();
    let upkeep = Upkeep::at(jiff::Timestamp::now().as_millisecond());
    let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
    assert_eq!((report.data.files, report.log.files), (1, 0));
    assert!(!unnamed.exists());
    disk.fill();
    let report = upkeep.vacuum_temporary(&fixture.lake).await.unwrap();
    assert_eq!(report.data.files, 1);
    assert!(!half.exists() && young.exists());
    fixture.check().await;
}

/// A writer to HDFS writes `.NAME.tmp`, and renames it.
#[tokio::test]
async fn vacuum_takes_what_a_killed_writer_to_hdfs_left() {
    let mut fixture = Fixture::new().await;
    fixture.minutes(MIDNIGHT, 2).await;
    let table = fixture.folder.path().join("ticks");
    let left = [
        "date=2025-06-02/.topic-0.parquet.tmp",
        "date=2025-06-02/.topic-0.parquet.tmp.1",
        "_delta_log/.00000000000000000003.json.tmp",
    ];
    let others = [
        "_delta_log/_commits",
        "_delta_log/.crc",
        "date=2025-06-02/.tmpfs",
    ];
    for name in left.iter().chain(&others) {
        std::fs::write(table.join(name), b"half").unwrap();
    }
    let clock_ms = jiff::Timestamp::now().as_millisecond();
    for (hours, taken) in [(23, 0), (25, 3)] {
        let upkeep = Upkeep::at(MIDNIGHT).store_at(clock_ms + hours * HOUR_MS);
        let report = upkeep.vacuum(&fixture.table).await.unwrap().unwrap();
        assert_eq!(report.data.files, taken);
        assert!(
            left.iter()
                .all(|name| table.join(name).exists() == (taken == 0))
        );
    }
    assert!(others.iter().all(|name| table.join(name).exists()));
    fixture.check().await;
}
