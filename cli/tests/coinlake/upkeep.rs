//! `coinlake lake upkeep` on the lake of a demo.

use std::fs;

use fixtures::process::{coinlake, succeeded};
use serde_json::Value;

#[test]
fn a_dry_run_writes_nothing_and_a_table_that_fails_holds_up_no_other() {
    let data = tempfile::tempdir().unwrap();
    let mut demo = coinlake(&["demo", "--exit", "--data"]);
    succeeded(&demo.arg(data.path()).output().unwrap());
    let lake = data.path().join("lake");
    let upkeep = |options: &[&str]| {
        let mut command = coinlake(&["lake", "upkeep", "--json"]);
        let output = command.args(options).arg("--lake").arg(&lake).output();
        let output = output.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), report, said)
    };

    let temporary = lake.join("_tmp");
    fs::remove_dir_all(&temporary).unwrap();
    let (code, report, said) = upkeep(&["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!temporary.exists());
    let tables = report["vacuumed"].as_array().unwrap().len();
    assert!(tables > 5, "{report}");

    let log = lake.join("alerts/_delta_log");
    let newest = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .max();
    fs::write(newest.unwrap(), "no entry").unwrap();
    let (code, report, said) = upkeep(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("alerts: ").count(), 1, "{said}");
    for of in ["optimized", "vacuumed"] {
        let done = report[of].as_array().unwrap();
        let named = |name: &str| done.iter().any(|table| table["table"] == name);
        assert!(named("raw") && !named("alerts"), "{report}");
    }
    // Of the table that failed nothing is known.
    let mut expire = coinlake(&["lake", "expire", "--keep", "36500d", "--lake"]);
    let output = expire.arg(&lake).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("no table has rows"), "{printed}");
}
