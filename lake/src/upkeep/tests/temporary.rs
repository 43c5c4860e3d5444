//! Temporary files that cannot be written.

use std::process::Command;

use faults::SmallDisk;
use object_store::memory::InMemory;

use super::*;

const TMPDIR: &str = "TMPDIR";

/// In a process of its own, which has another `TMPDIR`.
#[tokio::test]
#[ignore = "the next test runs it"]
async fn optimize_in_tmpdir() {
    let table = Lake::on_store(Arc::new(InMemory::new())).table("ticks");
    let writer = table
        .writer(&TableSpec::new(&schema(), "", Vec::new()).unwrap())
        .await
        .unwrap();
    for offset in 0..2 {
        let rows = [("bitcoin".to_owned(), MIDNIGHT, offset)];
        let file = put(&table, &rows, MIDNIGHT).await;
        let mut transaction = Transaction::append(stamp(0, offset, MIDNIGHT), vec![file]);
        writer.commit(&mut transaction).await.unwrap();
    }
    let optimized = Upkeep::at(MIDNIGHT + 2 * DAY_MS).optimize(&table).await;
    println!("{}", optimized.unwrap_err());
}

fn error_in(folder: &Path) -> String {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "--ignored", "--nocapture"]);
    test.arg("upkeep::tests::temporary::optimize_in_tmpdir");
    let output = test.env(TMPDIR, folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_folder_for_temporary_files_that_fails_is_not_the_lakes_fault() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let mut folders = vec![missing];
    let disk = SmallDisk::mount(&folder.path().join("full"), "256k");
    if let Some(disk) = &disk {
        disk.fill();
        folders.push(disk.path().to_owned());
    }
    for folder in folders {
        let error = error_in(&folder);
        assert!(error.contains(folder.to_str().unwrap()), "{error}");
        assert!(error.contains(TMPDIR), "{error}");
        assert!(!error.contains("memory"), "{error}");
    }
}
