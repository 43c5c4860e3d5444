//! `coinlake health`, for people and for scripts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use fixtures::process::{coinlake, signal};
use serde_json::Value;

use super::process::Running;
use crate::terminal::fits_a_terminal;

#[test]
fn one_screen_for_people_one_object_for_scripts() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let mut command = coinlake(&["demo", "--metrics-listen", "0", "--data", data]);
    command.args(["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    let demo = Running::start(command);
    demo.wait_for("the whole market", |demo| {
        let drained = demo.lines().iter().any(|line| line.contains("is drained"));
        drained.then_some(())
    });

    // The last line says where to look and what to try; no library warns of anything.
    let said = demo.wait_for("the last line", |demo| {
        let lines = demo.lines();
        lines
            .last()?
            .contains("console at http://")
            .then_some(lines)
    });
    assert!(
        said.last().unwrap().contains("try `coinlake health`"),
        "{said:?}"
    );
    assert!(
        !said
            .iter()
            .any(|line| line.contains("WARN") || line.contains("ERROR")),
        "{said:?}"
    );

    fits_a_terminal(&coinlake(&["health", "--data", data]));
    let output = coinlake(&["health", "--data", data]).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap();
    println!("{screen}");
    assert!(output.status.success(), "{screen}");
    for word in [
        "TOPIC",
        "crypto-alerts",
        "STAGE",
        "stage-clean/0",
        "LAYER",
        "\nHealthy\n",
    ] {
        assert!(screen.contains(word), "{word}");
    }
    assert!(
        !screen.contains('\x1b'),
        "no colours where nobody sees them"
    );
    assert!(screen.lines().count() <= 40, "one screen");

    let output = coinlake(&["health", "--json", "--data", data])
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["ok"], true);
    assert_eq!(found["problems"], Value::Array(Vec::new()));

    // It looks again until Ctrl-C, which ends it cleanly.
    let mut watching = coinlake(&["health", "--watch", "--json", "--data", data])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let found: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(found["ok"], true);
    }
    signal(&watching, "INT");
    assert!(watching.wait().unwrap().success());
    // The first Ctrl-C says what is being finished, and what the second does.
    let said = demo.interrupt();
    for word in [
        "stopping: what has been read is being committed; Ctrl-C again ends at once",
        "stopped; everything read so far is committed",
    ] {
        assert!(said.iter().any(|line| line.contains(word)), "{said:?}");
    }

    // What is not there is a finding too.
    let output = coinlake(&["health", "--json", "--data", data])
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &found["ok"]),
        (Some(1), &Value::Bool(false))
    );
    assert!(found["problems"][0].is_string(), "{found}");
}
