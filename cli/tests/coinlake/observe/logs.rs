//! Logs for machines.

use std::process::Stdio;

use fixtures::process::coinlake;
use serde_json::Value;

#[test]
fn every_line_is_one_json_object() {
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["--log-format", "json", "demo", "--exit", "--json", "--data"]);
    // Set to nothing, it says nothing.
    command.env("RUST_LOG", "");
    let output = command.arg(data.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let mut messages = Vec::new();
    for line in said.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for key in ["timestamp", "level", "target", "message"] {
            assert!(event[key].is_string(), "{key}: {line}");
        }
        messages.push(event["message"].as_str().unwrap().to_owned());
    }
    assert!(messages.iter().any(|said| said == "committed"), "{said}");
    assert!(
        messages.iter().any(|said| said.starts_with("broker at ")),
        "{said}"
    );
    // The summary alone is on stdout.
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(summary["records"]["raw"].as_u64().unwrap() > 0);
}

/// Whatever `RUST_LOG` chooses.
#[test]
fn a_command_that_fails_says_so_in_one_line_of_the_format() {
    let said = |format: &str, filter: &str| {
        let output = coinlake(&["--log-format", format])
            .args(["demo", "--exit", "--recording", "no-such-file\n2nd line"])
            .env("RUST_LOG", filter)
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{format} {filter}: {said}");
        said
    };
    for filter in [
        "",
        "info",
        "parquet_sink=debug",
        "connector_runtime=off",
        "off",
    ] {
        assert!(said("text", filter).starts_with("coinlake: "));
        let event: Value = serde_json::from_str(&said("json", filter)).unwrap();
        assert_eq!(event["level"], "ERROR");
    }
}

/// Where lines are events, what a command says in several lines is as many events.
#[test]
fn a_summary_in_the_log_has_its_lines() {
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["demo", "--exit", "--data"]);
    let output = command.arg(data.path()).env("RUST_LOG", "info").output();
    let said = String::from_utf8(output.unwrap().stderr).unwrap();
    let summary: Vec<_> = said
        .lines()
        .filter(|line| line.contains("latency     "))
        .collect();
    assert!(
        matches!(summary[..], [line] if !line.contains("\\n")),
        "{said}"
    );
}
