//! `coinlake train` as a user runs it, on the lake of a demo: without a server, and with a real one.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

#[path = "../../../trainer/tests/with_mlflow/server.rs"]
#[allow(dead_code)] // sign-in and the database are for the trainer's own tests
mod server;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The lake of one demo on the made-up market, which all tests read.
fn lake() -> PathBuf {
    static DATA: OnceLock<TempDir> = OnceLock::new();
    let data = DATA.get_or_init(|| {
        let data = tempfile::tempdir().unwrap();
        let demo = Command::new(env!("CARGO_BIN_EXE_coinlake"))
            .args(["demo", "--exit", "--data"])
            .arg(data.path())
            .output()
            .unwrap();
        assert!(
            demo.status.success(),
            "{}",
            String::from_utf8_lossy(&demo.stderr)
        );
        data
    });
    data.path().join("lake")
}

/// Where `coinlake train` is run.
struct Place {
    data: TempDir,
    mlflow: Option<String>,
}

impl Place {
    fn here() -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            mlflow: None,
        }
    }

    fn with_server(uri: String) -> Self {
        Self {
            mlflow: Some(uri),
            ..Self::here()
        }
    }

    /// `coinlake` on the data directory, with the server in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coinlake"));
        command.args(arguments).arg("--data").arg(self.data.path());
        for name in ["URI", "USERNAME", "PASSWORD", "TOKEN"] {
            command.env_remove(format!("MLFLOW_TRACKING_{name}"));
        }
        if let Some(uri) = &self.mlflow {
            command.env("MLFLOW_TRACKING_URI", uri);
        }
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&[&["train"], arguments].concat());
        command.output().unwrap()
    }

    /// What `coinlake health` finds, well or not.
    fn health(&self) -> Value {
        let output = self.command(&["health", "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).expect("stdout holds one JSON object and nothing else")
    }

    /// A command that must fail, with one sentence.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?} was not refused: {said}"
        );
        println!("{said}");
        // Warnings of tries that are repeated may come before it.
        let (warnings, sentences): (Vec<_>, Vec<_>) = said
            .trim()
            .lines()
            .partition(|line| line.contains("trying again in"));
        assert_eq!(sentences.len(), 1, "one sentence, not: {said}");
        assert!(warnings.len() <= 5, "{said}");
        said
    }

    fn run(&self, more: &[&str]) -> Value {
        let lake = lake();
        self.json(&[&["run", "--lake", lake.to_str().unwrap()], more].concat())
    }

    /// Which version of a model an alias points at.
    fn version_at(&self, model: &str, alias: &str) -> Option<u64> {
        let listing = self.json(&["list"]);
        let versions = listing["versions"].as_array().unwrap();
        let found = versions.iter().find(|version| {
            let aliases = version["aliases"].as_array().unwrap();
            version["model"] == model && aliases.iter().any(|found| found == alias)
        });
        found.map(|version| version["version"].as_u64().unwrap())
    }
}

fn model<'a>(report: &'a Value, name: &str) -> &'a Value {
    let models = report["models"].as_array().unwrap();
    models.iter().find(|model| model["model"] == name).unwrap()
}

/// From the first training to the third, as both kinds of tracking must show it.
fn train_compare_and_promote(place: &Place) {
    let first = place.run(&[]);
    println!("{first}");
    for name in ["anomaly_ahead", "trend_up"] {
        assert_eq!(model(&first, name)["version"], 1, "{name}");
        assert_eq!(place.version_at(name, "staging"), Some(1), "{name}");
        place.text(&["promote", name, "1", "production"]);
        assert_eq!(place.version_at(name, "production"), Some(1), "{name}");
    }

    // The same rows and seed make the same model, which is not better.
    let second = place.run(&[]);
    for name in ["anomaly_ahead", "trend_up"] {
        let report = model(&second, name);
        assert_eq!(
            (&report["version"], &report["alias"]),
            (&2.into(), &"staging".into()),
            "{name}"
        );
        let reason = report["reason"].as_str().unwrap();
        assert!(
            reason.contains("version 1 has") && reason.contains("0.005 more"),
            "{reason}"
        );
        assert_eq!(place.version_at(name, "production"), Some(1), "{name}");
        assert_eq!(place.version_at(name, "staging"), Some(2), "{name}");
    }
    let [first, second] = [first, second].map(|report| report["run"].as_str().unwrap().to_owned());
    let comparison = place.json(&["compare", &first, &second]);
    assert_eq!(comparison["differences"]["anomaly_ahead/auc_roc"], 0.0);
    assert_eq!(comparison["differences"]["trend_up/auc_roc"], 0.0);
    let shown = place.text(&["compare", &first, &second]);
    assert!(
        shown.contains(&first) && shown.contains("params: the same"),
        "{shown}"
    );

    // No margin: as good is good enough. What was in production drifted by nothing worth a word, or by something.
    let third = place.run(&["--margin", "0", "--threads", "1"]);
    for name in ["anomaly_ahead", "trend_up"] {
        let report = model(&third, name);
        assert_eq!(report["alias"], "production", "{report}");
        assert_eq!(place.version_at(name, "production"), Some(3), "{name}");
    }
    let listing = place.json(&["list"]);
    let runs = listing["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run["status"] == "finished"));
    assert_eq!(runs[2]["id"], *first);
    let drift = &runs[0]["metrics"]["trend_up/production_drift/return_1m"];
    assert!(drift.as_f64().is_some_and(|psi| psi >= 0.0), "{drift}");
    let shown = place.text(&["list"]);
    assert!(
        shown.contains("anomaly_ahead/3") && shown.contains("went to production"),
        "{shown}"
    );
}

#[test]
fn a_folder_keeps_runs_and_versions() {
    train_compare_and_promote(&Place::here());
}

#[test]
fn a_server_keeps_runs_and_versions() {
    let Some(server) = server::server() else {
        return;
    };
    let place = Place::with_server(server.uri());
    train_compare_and_promote(&place);
    let models = place.data.path().join("models");
    assert!(!models.exists(), "the server keeps everything");

    // And what was kept here before there was a server goes there later.
    let here = Place::here();
    let run = here.run(&[])["run"].as_str().unwrap().to_owned();
    let place = Place {
        data: here.data,
        ..place
    };
    let said = place.text(&["publish", &run]);
    assert!(
        said.contains("as run") && said.contains("trend_up/4 (staging)"),
        "{said}"
    );
    let again = place.text(&["publish", &run]);
    assert!(again.contains("already, as run"), "{again}");
    assert_eq!(place.version_at("trend_up", "staging"), Some(4));
    assert_eq!(place.version_at("trend_up", "production"), Some(3));
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let place = Place::here();
    let lake = place.refused(&["run"]);
    assert!(lake.contains("there is no lake at"), "{lake}");
    let range = place.refused(&["run", "--from", "yesterday"]);
    assert!(range.contains("`yesterday` is no time"), "{range}");
    let publish = place.refused(&["publish", "20250101-000000-abcd"]);
    assert!(publish.contains("MLFLOW_TRACKING_URI"), "{publish}");
    let compare = place.refused(&["compare", "one", "two"]);
    assert!(compare.contains("there is no run one"), "{compare}");
    let promote = place.refused(&["promote", "trend_up", "7", "production"]);
    assert!(promote.contains("no version 7 of trend_up"), "{promote}");
    let listed = place.text(&["list"]);
    assert!(
        listed.contains("`coinlake train run` makes one"),
        "{listed}"
    );

    let down = Place::with_server("http://127.0.0.1:9".to_owned());
    let said = down.refused(&["list"]);
    assert!(
        said.contains("no MLflow server answers at http://127.0.0.1:9"),
        "{said}"
    );
    let file = Place::with_server("sqlite:///mlflow.db".to_owned());
    let said = file.refused(&["list"]);
    assert!(
        said.contains("MLFLOW_TRACKING_URI is a `sqlite` address"),
        "{said}"
    );
}

#[test]
fn a_damaged_model_goes_nowhere() {
    let place = Place::here();
    let run = place.run(&[])["run"].as_str().unwrap().to_owned();
    place.text(&["promote", "trend_up", "1", "production"]);
    place.run(&[]);
    let second = place.json(&["list"])["runs"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(run, second);
    let file = model_file(place.data.path(), &second);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let said = place.refused(&["promote", "trend_up", "2", "production"]);
    assert!(
        said.contains("trend_up/2") && said.contains("damaged"),
        "{said}"
    );
    assert_eq!(place.version_at("trend_up", "production"), Some(1));

    // One that is in production cannot be compared with: the next version waits in staging.
    let file = model_file(place.data.path(), &run);
    fs::write(&file, b"not a model").unwrap();
    let third = place.run(&["--margin", "0"]);
    let report = model(&third, "trend_up");
    assert_eq!(report["alias"], "staging");
    let reason = report["reason"].as_str().unwrap();
    assert!(
        reason.contains("nothing to compare with") && reason.contains("trend_up/1"),
        "{reason}"
    );
}

fn model_file(data: &Path, run: &str) -> PathBuf {
    data.join("models")
        .join(run)
        .join("artifacts/models/trend_up/model.bin")
}

/// A demo whose market is drained and whose broker stays.
struct Demo {
    child: Child,
    said: String,
    /// Kept open, so that it can go on writing.
    _stderr: BufReader<ChildStderr>,
}

impl Demo {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command(&["demo", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("the market is drained; the broker stays") {
            let read = lines.read_line(&mut said).unwrap();
            assert!(read > 0, "the demo ended: {said}");
        }
        Self {
            child,
            said,
            _stderr: lines,
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_promoted_serves_and_goes_on_serving() {
    let mut place = Place::here();
    let demo = Demo::start(&place);
    assert_eq!(place.health()["models"], json!([]));
    let run = place.json(&["run"])["run"].as_str().unwrap().to_owned();
    for name in ["anomaly_ahead", "trend_up"] {
        let said = place.text(&["promote", name, "1", "production"]);
        assert!(said.contains(&format!("{name}/1")), "{said}");
    }
    let serving = json!(["anomaly_ahead/1", "trend_up/1"]);
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    assert_eq!(health["mlflow"], Value::Null);
    assert_eq!(health["problems"], json!([]));
    let drift = health["drift"].as_array().unwrap();
    assert_eq!(drift.len(), 2);
    assert!(
        drift[0]["inputs"]["return_1m"]
            .as_f64()
            .is_some_and(|psi| psi >= 0.0)
    );
    assert!(drift[1]["scores"].as_f64().is_some_and(|psi| psi >= 0.0));
    drop(demo);

    // A model file that is damaged takes nothing away.
    let file = model_file(place.data.path(), &run);
    fs::write(&file, b"not a model").unwrap();
    let demo = Demo::start(&place);
    assert!(
        demo.said.contains("trend_up/1") && demo.said.contains("goes on serving"),
        "{}",
        demo.said
    );
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    let problems = health["problems"].to_string();
    assert!(
        problems.contains("trend_up/1 of") && problems.contains("cannot serve"),
        "{problems}"
    );
    drop(demo);

    // A run that is gone, and with it the version that the alias points at.
    fs::remove_dir_all(place.data.path().join("models").join(&run)).unwrap();
    let demo = Demo::start(&place);
    assert!(demo.said.contains("which is deleted"), "{}", demo.said);
    assert_eq!(place.health()["models"], serving);
    drop(demo);

    // Nor does a server that is down.
    place.mlflow = Some("http://127.0.0.1:9".to_owned());
    let demo = Demo::start(&place);
    assert!(
        demo.said.contains("no MLflow server answers"),
        "{}",
        demo.said
    );
    let health = place.health();
    assert_eq!(health["models"], serving, "{health}");
    assert_eq!(health["mlflow"]["reachable"], false);
}
