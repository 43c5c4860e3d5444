//! Killed at any step, and several at once.

use super::*;

/// What is done to a lake in which everything has work: an optimized day, one to be optimized, one to expire.
async fn all_upkeep(lake: &Lake, upkeep: &Upkeep) -> Result<(), UpkeepError> {
    let table = lake.table("ticks");
    upkeep.optimize(&table).await?;
    upkeep
        .expire(&table, Some(Duration::from_millis(36 * HOUR_MS as u64)))
        .await?;
    upkeep.vacuum(&table).await?;
    upkeep.vacuum_temporary(lake).await?;
    Ok(())
}

#[tokio::test]
async fn killed_at_any_step_nothing_is_lost_and_nothing_is_there_twice() {
    let mut fixture = Fixture::new().await;
    let old = MIDNIGHT - 3 * DAY_MS;
    fixture.minutes(old, 3).await;
    fixture.minutes(MIDNIGHT, 12).await;
    let now = MIDNIGHT + DAY_MS + HOUR_MS;
    let upkeep = Upkeep {
        store_now_ms: Some(jiff::Timestamp::now().as_millisecond() + 2 * DAY_MS),
        ..Upkeep::at(now)
    };
    upkeep.optimize(&fixture.table).await.unwrap();
    for minute in 0..4 {
        fixture.commit(MIDNIGHT + minute, now - 2 * HOUR_MS).await;
    }
    std::fs::write(fixture.folder.path().join("_tmp/left"), b"x").unwrap();
    let tombstones_old = now + 26 * HOUR_MS;
    let upkeep = Upkeep {
        now_ms: tombstones_old,
        ..upkeep
    };
    let kept: Vec<Row> = fixture
        .written
        .iter()
        .filter(|row| row.1 >= MIDNIGHT)
        .cloned()
        .collect();

    let mut killed_at = 0;
    loop {
        let copy = copied(fixture.folder.path());
        let lake = Lake::open_str(copy.path().to_str().unwrap(), []).unwrap();
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = steps.clone();
        let watched = upkeep.clone().watch(move |step| {
            let counts = !matches!(step, Step::RowsRead(_));
            match counts && counted.fetch_add(1, Ordering::Relaxed) == killed_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let result = all_upkeep(&lake, &watched).await;
        let snapshot = lake.table("ticks").snapshot().await.unwrap().unwrap();
        let mut found = rows(&snapshot).await;
        found.sort();
        let is_all = {
            let mut all = fixture.written.clone();
            all.sort();
            found == all
        };
        let is_kept = {
            let mut kept = kept.clone();
            kept.sort();
            found == kept
        };
        assert!(
            is_all || is_kept,
            "killed at step {killed_at}: {} rows",
            found.len()
        );
        // The next round ends as if nothing had happened.
        all_upkeep(&lake, &upkeep).await.unwrap();
        let snapshot = lake.table("ticks").snapshot().await.unwrap().unwrap();
        let mut found = rows(&snapshot).await;
        found.sort();
        let mut expected = kept.clone();
        expected.sort();
        assert_eq!(found, expected, "killed at step {killed_at}");
        assert_eq!(snapshot.files().len(), 1);
        match result {
            Ok(()) => break,
            Err(UpkeepError::Stopped) => killed_at += 1,
            Err(error) => panic!("killed at step {killed_at}: {error}"),
        }
    }
    assert!(killed_at > 25, "{killed_at} steps");
}

/// Stages of two partitions commit, two upkeeps optimize, vacuum and expire nothing, and readers read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_readers_and_two_upkeeps_at_once() {
    let fixture = Fixture::new().await;
    let url = LakeUrl::parse(fixture.folder.path().to_str().unwrap()).unwrap();
    const COMMITS: i64 = 60;
    let now = Arc::new(std::sync::atomic::AtomicI64::new(MIDNIGHT));
    let mut writers = Vec::new();
    for partition in 0..2 {
        let (url, now) = (url.clone(), now.clone());
        writers.push(tokio::spawn(async move {
            let table = Lake::open(&url).unwrap().table("ticks");
            let snapshot = table.snapshot().await.unwrap().unwrap();
            let writer = snapshot.writer().unwrap();
            for commit in 0..COMMITS {
                // Hours pass, and a day does.
                let at = now.fetch_add(20 * MINUTE_MS, Ordering::Relaxed);
                let first = commit * 3;
                let rows: Vec<Row> = (first..first + 3)
                    .map(|offset| (format!("coin-{partition}"), at, offset))
                    .collect();
                let file = put(&table, &rows, at).await;
                let stamp = stamp(partition, first + 2, at);
                let mut transaction = Transaction::append(stamp, vec![file]);
                writer.commit(&mut transaction).await.unwrap();
            }
        }));
    }
    let mut others = Vec::new();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for _ in 0..2 {
        let (url, now, done) = (url.clone(), now.clone(), done.clone());
        others.push(tokio::spawn(async move {
            let table = Lake::open(&url).unwrap().table("ticks");
            while !done.load(Ordering::Relaxed) {
                let upkeep = Upkeep::at(now.load(Ordering::Relaxed));
                upkeep.optimize(&table).await.unwrap().unwrap();
                upkeep.vacuum(&table).await.unwrap().unwrap();
            }
        }));
    }
    let (reader_url, reader_done) = (url.clone(), done.clone());
    others.push(tokio::spawn(async move {
        let table = Lake::open(&reader_url).unwrap().table("ticks");
        let mut snapshot = table.snapshot().await.unwrap().unwrap();
        let mut last = 0;
        while !reader_done.load(Ordering::Relaxed) {
            snapshot.refresh().await.unwrap();
            check_partitions(&snapshot).await;
            assert!(snapshot.rows() >= last);
            last = snapshot.rows();
        }
    }));
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
    let snapshot = fixture.snapshot().await;
    assert_eq!(snapshot.rows(), 2 * 3 * COMMITS as u64);
    check_partitions(&snapshot).await;
}

/// Asserts that each partition's rows are there once, up to where its stamp says.
async fn check_partitions(snapshot: &Snapshot) {
    let rows = rows(snapshot).await;
    for partition in 0..2 {
        let coin = format!("coin-{partition}");
        let offsets = rows.iter().filter(|row| row.0 == coin).map(|row| row.2);
        let mut offsets: Vec<i64> = offsets.collect();
        offsets.sort_unstable();
        let end = snapshot
            .stamp("topic", partition)
            .map_or(0, |stamp| stamp.last_offset + 1);
        assert_eq!(offsets, (0..end).collect::<Vec<_>>());
    }
}
