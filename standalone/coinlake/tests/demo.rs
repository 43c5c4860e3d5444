//! The demo as a user runs it: the finished command, a data directory, and what it leaves there.

mod rows;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The demo's summary on `data`, with more arguments.
fn demo(data: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_coinlake"))
        .args(["demo", "--exit", "--json", "--data"])
        .arg(data)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the demo failed: {said}");
    serde_json::from_slice(&output.stdout).expect("stdout holds one JSON object and nothing else")
}

fn count(summary: &Value, layer: &str) -> u64 {
    summary["records"][layer].as_u64().unwrap()
}

/// 19 days of real minutes, where they are at hand.
fn recording() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/market-2025-06-dev.parquet");
    if !path.exists() {
        println!("skipped: no recording at {}", path.display());
        return None;
    }
    Some(path)
}

/// Runs a script of tests/python where Python has what it imports. `COINLAKE_PYTHON` names the interpreter and makes
/// it required.
fn python(script: &str, arguments: &[&Path]) {
    let required = std::env::var("COINLAKE_PYTHON").ok();
    let python = required.as_deref().unwrap_or("python3");
    let ready = Command::new(python)
        .args(["-c", "import duckdb, pandas, polars, pyarrow"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !ready {
        assert!(required.is_none(), "{python} lacks duckdb, pandas, polars or pyarrow");
        println!("skipped {script}: {python} lacks duckdb, pandas, polars or pyarrow");
        return;
    }
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script))
        .args(arguments)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_recording_goes_through_whole() {
    let Some(recording) = recording() else { return };
    let path = recording.to_str().unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let summary = demo(first.path(), &["--recording", path, "--speed", "max"]);
    println!("{summary}");
    assert_eq!(count(&summary, "raw"), 194_607);
    assert_eq!(count(&summary, "clean") + count(&summary, "rejected"), 194_607);
    assert_eq!(count(&summary, "features"), count(&summary, "clean"));
    assert!(count(&summary, "alerts") > 0);

    let lake = first.path().join("lake");
    python("features.py", &[&lake, &recording]);
    python("readers.py", &[&lake]);

    // The same command gives the same rows.
    demo(second.path(), &["--recording", path, "--speed", "max"]);
    rows::assert_equal("lake", &rows::lake(first.path()), &rows::lake(second.path()));
}
