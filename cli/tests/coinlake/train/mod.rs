//! `coinlake train` as a user runs it, on the lake of a demo: without a server, and with a real one.

mod away;
mod beside;
mod serving;
mod versions;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use fixtures::process::{coinlake, succeeded};
use serde_json::Value;
use tempfile::TempDir;

/// The lake of one demo on the synthetic market, which all tests read.
fn lake() -> PathBuf {
    static DATA: OnceLock<TempDir> = OnceLock::new();
    let data = DATA.get_or_init(|| {
        let data = tempfile::tempdir().unwrap();
        let mut demo = coinlake(&["demo", "--exit", "--data"]);
        succeeded(&demo.arg(data.path()).output().unwrap());
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
        let mut command = coinlake(arguments);
        command.arg("--data").arg(self.data.path());
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
        succeeded(&self.output(arguments))
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
            .partition(|line| line.contains("retrying in"));
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

fn model_file(data: &Path, run: &str) -> PathBuf {
    data.join("models")
        .join(run)
        .join("artifacts/models/trend_up/model.bin")
}
