//! Entries: numbered, made once, and read by whoever comes later.

use lake::{CommitError, CommitStamp, LakeError, Transaction};

use crate::rows::{app, batch, commit, offsets, open, parquet, spec, stamp};

#[tokio::test]
async fn what_was_committed_is_read_by_a_snapshot_with_or_without_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let table = open(folder.path());
    assert!(table.snapshot().await.unwrap().is_none());
    assert!(table.summary().await.unwrap().is_none());
    let writer = table.writer(&spec()).await.unwrap();
    for i in 0..250 {
        assert_eq!(commit(&writer, 0, i * 10..i * 10 + 10).await, i as u64 + 1);
    }
    let log = folder.path().join("ticks/_delta_log");
    for version in [100, 200] {
        assert!(
            log.join(format!("{version:020}.checkpoint.parquet"))
                .exists()
        );
    }
    let snapshot = table.snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.version(), snapshot.rows()), (250, 2500));
    assert_eq!(snapshot.spec(), &spec());
    assert_eq!(offsets(&snapshot).await, (0..2500).collect::<Vec<i64>>());
    let summary = table.summary().await.unwrap().unwrap();
    assert_eq!(summary, snapshot.summary());
    assert_eq!(summary.place("crypto-ticks", 0).unwrap().last_offset, 2499);
    assert!(summary.place("crypto-ticks", 1).is_none());

    // Without the entries that a checkpoint covers, and without checkpoints.
    let entries = |versions: std::ops::Range<u64>| {
        let log = log.clone();
        versions.map(move |version| log.join(format!("{version:020}.json")))
    };
    let aside = folder.path().join("aside");
    std::fs::create_dir(&aside).unwrap();
    for path in entries(0..200) {
        std::fs::rename(&path, aside.join(path.file_name().unwrap())).unwrap();
    }
    let covered = table.snapshot().await.unwrap().unwrap();
    assert_eq!(
        (covered.files(), covered.stamps()),
        (snapshot.files(), snapshot.stamps())
    );
    for path in entries(0..200) {
        std::fs::rename(aside.join(path.file_name().unwrap()), &path).unwrap();
    }
    for name in [
        "_last_checkpoint",
        "00000000000000000100.checkpoint.parquet",
        "00000000000000000200.checkpoint.parquet",
    ] {
        std::fs::remove_file(log.join(name)).unwrap();
    }
    let folded = table.snapshot().await.unwrap().unwrap();
    assert_eq!(folded.rows(), 2500);
    assert_eq!(folded.stamps(), snapshot.stamps());
    // A gap is no end: what follows it would be lost without a word.
    std::fs::remove_file(log.join(format!("{:020}.json", 17))).unwrap();
    let error = table.snapshot().await.unwrap_err().to_string();
    assert!(
        error.contains("00000000000000000017.json") && error.contains("missing"),
        "{error}"
    );
}

#[tokio::test]
async fn a_restarted_writer_finds_its_stamp_and_another_copy_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table = open(folder.path());
    let first = table.writer(&spec()).await.unwrap();
    commit(&first, 0, 0..10).await;
    let second = open(folder.path()).writer(&spec()).await.unwrap();
    assert_eq!(
        second.stamp(&app(0)).await.unwrap(),
        Some(stamp(0, &(0..10)))
    );
    assert_eq!(second.stamp(&app(1)).await.unwrap(), None);
    // Another partition may go on beside.
    assert_eq!(commit(&second, 1, 0..10).await, 2);
    assert_eq!(commit(&first, 0, 10..20).await, 3);

    let other = CommitStamp {
        writer: "run-2".to_owned(),
        ..stamp(0, &(20..30))
    };
    second.stamp(&app(0)).await.unwrap();
    second
        .commit(&mut Transaction::append(other, Vec::new()))
        .await
        .unwrap();
    let mut ours = Transaction::append(stamp(0, &(20..40)), Vec::new());
    let error = first.commit(&mut ours).await.unwrap_err();
    assert!(
        matches!(&error, CommitError::AnotherCopy { other, .. } if other == "run-2"),
        "{error}"
    );
    assert!(
        error.to_string().contains("stage-ticks/crypto-ticks/0"),
        "{error}"
    );
    let rivals = first
        .rivals(&lake::AppId {
            stage: "mine".to_owned(),
            ..app(0)
        })
        .await
        .unwrap();
    assert_eq!(rivals[0].last_offset, 29);
}

/// Two partitions share a writer, and another copy of one of them runs: its entry is read when the other commits.
#[tokio::test]
async fn another_copy_is_noticed_though_its_entry_was_read_before() {
    let folder = tempfile::tempdir().unwrap();
    let shared = open(folder.path()).writer(&spec()).await.unwrap();
    commit(&shared, 0, 0..10).await;
    let copy = open(folder.path()).writer(&spec()).await.unwrap();
    let theirs = CommitStamp {
        writer: "run-2".to_owned(),
        ..stamp(0, &(10..20))
    };
    copy.commit(&mut Transaction::append(theirs, Vec::new()))
        .await
        .unwrap();
    assert_eq!(commit(&shared, 1, 0..10).await, 3);
    let mut ours = Transaction::append(stamp(0, &(10..30)), Vec::new());
    for _ in 0..2 {
        let error = shared.commit(&mut ours).await.unwrap_err();
        assert!(
            matches!(&error, CommitError::AnotherCopy { version: 2, other, .. } if other == "run-2"),
            "{error}"
        );
    }
    // Whoever asks where it stands goes on from there.
    let stands = shared.stamp(&app(0)).await.unwrap().unwrap();
    assert_eq!(stands.last_offset, 19);
    assert_eq!(commit(&shared, 0, 20..30).await, 4);
    assert_eq!(commit(&shared, 0, 30..40).await, 5);
}

#[tokio::test]
async fn writers_beside_each_other_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for partition in 0..4 {
        // Each in a process of its own, as far as the table can tell.
        let table = open(folder.path());
        tasks.spawn(async move {
            let writer = table.writer(&spec()).await.unwrap();
            for i in 0..40 {
                let start = i64::from(partition) * 1000 + i * 5;
                commit(&writer, partition, start..start + 5).await;
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let snapshot = open(folder.path()).snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.version(), 160);
    let expected: Vec<i64> = (0..4).flat_map(|p| p * 1000..p * 1000 + 200).collect();
    assert_eq!(offsets(&snapshot).await, expected);
    let summary = open(folder.path()).summary().await.unwrap().unwrap();
    assert_eq!(summary, snapshot.summary());
}

#[tokio::test]
async fn a_table_takes_new_columns_and_refuses_other_types_before_a_row_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let table = open(folder.path());
    let before = table.writer(&spec()).await.unwrap();
    commit(&before, 0, 0..10).await;
    let mut wider = spec();
    wider.columns.push(lake::Column {
        name: "rank".to_owned(),
        kind: "long".to_owned(),
        nullable: true,
        comment: "by market cap".to_owned(),
    });
    let writer = table.writer(&wider).await.unwrap();
    let snapshot = table.snapshot().await.unwrap().unwrap();
    assert_eq!(
        (snapshot.version(), &snapshot.spec().columns),
        (2, &wider.columns)
    );
    // A copy of before goes on, and a restart with the same columns makes no entry.
    assert_eq!(commit(&before, 0, 10..20).await, 3);
    table.writer(&wider).await.unwrap();
    table.writer(&spec()).await.unwrap();
    assert_eq!(
        writer.stamp(&app(0)).await.unwrap().unwrap().last_offset,
        19
    );
    assert_eq!(table.summary().await.unwrap().unwrap().version, 3);

    let mut other = spec();
    other.columns[2].kind = "long".to_owned();
    let error = table.writer(&other).await.unwrap_err();
    assert!(matches!(error, LakeError::Schema { .. }), "{error}");
    assert!(
        error.to_string().contains("`price` is of type double"),
        "{error}"
    );
}

#[tokio::test]
async fn files_of_a_release_before_tables_are_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("ticks/date=2025-06-01");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(
        day.join("ticks-0-00000000000000000000.parquet"),
        parquet(&batch(0..1)),
    )
    .unwrap();
    let error = open(folder.path()).writer(&spec()).await.unwrap_err();
    assert!(matches!(error, LakeError::FormerLayout { .. }), "{error}");
    assert!(
        error.to_string().contains("coinlake lake import"),
        "{error}"
    );
    assert!(!folder.path().join("ticks/_delta_log").exists());
}
