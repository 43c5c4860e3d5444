//! Snapshots that follow a table.

use crate::rows::{commit, offsets, open, spec};

#[tokio::test]
async fn a_snapshot_stays_as_it_is_until_it_is_refreshed() {
    let folder = tempfile::tempdir().unwrap();
    let table = open(folder.path());
    let writer = table.writer(&spec()).await.unwrap();
    commit(&writer, 0, 0..10).await;
    let mut snapshot = table.snapshot().await.unwrap().unwrap();
    commit(&writer, 0, 10..20).await;
    commit(&writer, 0, 1440..1450).await;
    assert_eq!(snapshot.rows(), 10);
    assert!(snapshot.refresh().await.unwrap());
    assert!(!snapshot.refresh().await.unwrap());
    assert_eq!(
        offsets(&snapshot).await,
        (0..20).chain(1440..1450).collect::<Vec<i64>>()
    );
    let dates: Vec<_> = snapshot
        .files()
        .iter()
        .map(|file| file.date.as_deref())
        .collect();
    assert_eq!(
        dates,
        [Some("2025-06-01"), Some("2025-06-01"), Some("2025-06-02")]
    );
    let bounds = snapshot.files()[2].bounds("event_time").unwrap();
    assert_eq!(bounds.1 - bounds.0, 9 * 60_000);
    assert!(
        snapshot.files()[0].may_hold("coin", "solana")
            && !snapshot.files()[0].may_hold("coin", "xrp")
    );
}
