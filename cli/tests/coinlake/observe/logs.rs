//! Logs for machines.

use std::process::Stdio;

use fixtures::process::coinlake;
use serde_json::Value;

#[test]
fn every_line_is_one_json_object() {
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["--log-format", "json", "demo", "--exit", "--json", "--data"]);
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

#[test]
fn a_command_that_fails_says_so_in_one_line_of_the_format() {
    let said = |format: &str| {
        let output = coinlake(&["--log-format", format])
            .args(["demo", "--exit", "--recording", "no-such-file\n2nd line"])
            .stdout(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    assert!(said("text").starts_with("coinlake: "));
    let event: Value = serde_json::from_str(&said("json")).unwrap();
    assert_eq!(event["level"], "ERROR");
}
