//! A demo that says it is drained has everything in the lake, and is well however long it stays.

use std::time::{Duration, SystemTime};

use connector_runtime::clock::Clock;
use fixtures::process::coinlake;
use serde_json::Value;

use super::process::Running;

#[test]
fn a_drained_demo_is_in_the_lake() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let mut command = coinlake(&["demo", "--metrics-listen", "0", "--data", data]);
    command.args(["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    let demo = Running::start(command);
    demo.wait_for("the whole market", |demo| {
        let drained = demo.lines().iter().any(|line| line.contains("is drained"));
        drained.then_some(())
    });
    let output = coinlake(&["health", "--json", "--data", data])
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["ok"], true, "{found}");
    let count = |list: &str, name: &str, of: &str| {
        let all = found[list].as_array().unwrap();
        let one = all.iter().find(|one| one["name"] == name).unwrap();
        one[of].as_u64().unwrap()
    };
    for (topic, layer) in [
        ("crypto-raw", "raw"),
        ("crypto-clean", "clean"),
        ("crypto-rejected", "rejected"),
        ("crypto-features", "features"),
        ("crypto-alerts", "alerts"),
    ] {
        let (records, rows) = (
            count("topics", topic, "records"),
            count("lake", layer, "rows"),
        );
        assert!(records > 0, "{topic}: {found}");
        assert_eq!(rows, records, "{layer}: {found}");
    }
    demo.interrupt();
}

#[test]
fn a_demo_that_has_ended_is_not_frozen() {
    let folder = tempfile::tempdir().unwrap();
    let start = SystemTime::now();
    let clock = folder.path().join("clock");
    let mut command = coinlake(&["demo", "--metrics-listen", "0", "--data"]);
    command.arg(folder.path().join("data"));
    command.args(["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    command.env("COINLAKE_TEST_CLOCK", &clock);
    let clock = Clock::share(&clock, start).unwrap();
    let hour = Duration::from_secs(3_600);
    clock.let_pass(start + 2 * hour).unwrap();
    let demo = Running::start(command);
    demo.line_after("the market is drained");
    demo.wait_until_ready();
    // The source sleeps on it as well, a moment at a time.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    while clock.now() < start + hour {
        runtime.block_on(clock.sleep(hour));
    }
    let (_, before) = demo.get("/metrics").unwrap();
    let polls = |metrics: &str| {
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("coingecko_source_polls_total"));
        let counts = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        counts.sum::<u64>()
    };
    demo.wait_for("more polls", |demo| {
        let (_, metrics) = demo.get("/metrics")?;
        (polls(&metrics) > polls(&before) + 3).then_some(())
    });
    let (status, probe) = demo.get("/readyz").unwrap();
    assert_eq!(status, 200, "{probe}");
    // Nor do the alert rules expect another poll.
    let (_, metrics) = demo.get("/metrics").unwrap();
    assert!(
        metrics.contains("coingecko_source_poll_interval_seconds inf"),
        "{metrics}"
    );
    demo.interrupt();
}
