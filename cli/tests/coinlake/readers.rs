//! Tables as others read them: DuckDB, Polars, pyarrow and Spark find the same rows of the same types.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use faults::FakeClock;
use fixtures::process::{coinlake, succeeded};
use fixtures::{python, tables};
use serde_json::Value;

const DAY_SECS: i64 = 86_400;

#[test]
fn every_reader_finds_the_same_rows_after_evolution_optimize_and_vacuum_too() {
    let data = tempfile::tempdir().unwrap();
    let mut demo = coinlake(&["demo", "--exit", "--data"]);
    succeeded(&demo.arg(data.path()).output().unwrap());
    let lake = data.path().join("lake");
    for table in market::names::layer::ALL {
        // The demo predicts nothing.
        if tables::snapshot(&lake, table).is_some_and(|snapshot| snapshot.rows() > 0) {
            tables::evolve(&lake, table);
        }
    }
    let before = data.path().join("before");
    let copied = Command::new("cp").arg("-r").args([&lake, &before]).status();
    assert!(copied.unwrap().success());
    let Some(clock) = FakeClock::new(data.path()) else {
        return;
    };
    // Days are closed, then what was merged is old.
    let optimized = upkeep(&lake, &clock, "optimize", 3);
    assert!(
        sum(&optimized["optimized"], "rewritten") > 12,
        "{optimized}"
    );
    age(&lake, 5);
    let vacuumed = upkeep(&lake, &clock, "vacuum", 5);
    assert!(sum(&vacuumed["vacuumed"], "data") > 12, "{vacuumed}");

    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    // The script says so when Spark is left out.
    let jars = env::var_os("COINLAKE_DELTA_JARS").map(PathBuf::from);
    let arguments: Vec<&Path> = [Some(&before), Some(&lake), jars.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    let modules = "deltalake, duckdb, duckdb_ext, polars, pyarrow";
    let _skipped = python::run(&scripts.join("readers.py"), modules, &arguments);
    let alerts = lake.join(market::names::layer::ALERTS);
    let _skipped = python::run(&scripts.join("zones.py"), modules, &[&alerts]);
}

/// Upkeep so many days from now.
fn upkeep(lake: &Path, clock: &FakeClock, what: &str, days: i64) -> Value {
    clock.set(days * DAY_SECS);
    let mut command = coinlake(&["lake", what, "--json", "--lake"]);
    clock.apply(command.arg(lake));
    serde_json::from_str(&succeeded(&command.output().unwrap())).unwrap()
}

/// The files of a list of reports.
fn sum(reports: &Value, of: &str) -> u64 {
    let reports = reports.as_array().unwrap().iter();
    reports
        .map(|report| report[of]["files"].as_u64().unwrap())
        .sum()
}

/// Makes all files below a folder so many days older.
fn age(folder: &Path, days: u64) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path, days);
            continue;
        }
        let file = File::open(path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let older = modified - Duration::from_secs(days * DAY_SECS.unsigned_abs());
        file.set_modified(older).unwrap();
    }
}
