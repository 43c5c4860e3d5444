//! A demo that says it is drained has everything in the lake.

use serde_json::Value;

use fixtures::process::coinlake;

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
