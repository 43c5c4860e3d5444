//! Files that cannot be read.

use super::*;

#[tokio::test]
async fn a_broken_file_keeps_no_other_day_from_being_merged() {
    let junk = |path: &Path| std::fs::write(path, [7; 5_000]).unwrap();
    let missing = |path: &Path| std::fs::remove_file(path).unwrap();
    // The footer is whole.
    let torn = |path: &Path| {
        let mut contents = std::fs::read(path).unwrap();
        contents[4..100].fill(7);
        std::fs::write(path, contents).unwrap();
    };
    let damages: [&dyn Fn(&Path); 3] = [&junk, &missing, &torn];
    for damage in damages {
        let mut fixture = Fixture::new().await;
        fixture.minutes(MIDNIGHT, 5).await;
        fixture.minutes(MIDNIGHT + DAY_MS, 5).await;
        let broken = fixture.snapshot().await.files()[2].path.clone();
        damage(&fixture.folder.path().join(&broken));
        let upkeep = Upkeep::at(MIDNIGHT + 4 * DAY_MS);
        for _ in 0..2 {
            let error = upkeep.optimize(&fixture.table).await.unwrap_err();
            assert!(error.to_string().contains(&broken), "{error}");
            let snapshot = fixture.snapshot().await;
            let dates = snapshot.files().iter().map(|file| file.date.as_deref());
            let of_newer = dates.filter(|date| *date == Some("2025-06-03"));
            assert_eq!(of_newer.count(), 1, "{error}");
            assert_eq!(snapshot.files().len(), 6);
            assert_eq!(snapshot.entries_since_checkpoint(), 0);
        }
    }
}
