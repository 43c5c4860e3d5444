//! Runs, versions and aliases, from training to promotion, in a folder and in a server.

use std::fs;

use fixtures::mlflow::{own_server, server};
use market::FEATURES_VERSION;
use market::model::Logistic;

use super::{Place, model, model_file};

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
    // Six figures; the rest is asked for.
    let figures = |shown: &str| {
        let rows = shown
            .lines()
            .filter(|line| line.contains("anomaly_ahead/") || line.contains("trend_up/"));
        rows.count()
    };
    assert_eq!(figures(&shown), 6, "{shown}");
    assert!(shown.contains(" more with --all"), "{shown}");
    let shown = place.text(&["compare", &first, &second, "--all"]);
    assert!(
        figures(&shown) > 20 && shown.contains("trend_up/base_rate"),
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
        shown.contains("anomaly_ahead/3") && shown.contains("promoted to production"),
        "{shown}"
    );

    // The note says why a version got its alias: promoting it to where it is changes nothing.
    let promoted = place.text(&["promote", "anomaly_ahead", "3", "production"]);
    assert!(
        promoted.contains("anomaly_ahead/3 is now in production"),
        "{promoted}"
    );
    assert_eq!(place.text(&["list"]), shown);
    place.text(&["promote", "anomaly_ahead", "2", "production"]);
    let shown = place.text(&["list"]);
    assert!(
        shown.contains("anomaly_ahead/2 put into production by hand"),
        "{shown}"
    );
}

#[test]
fn a_folder_keeps_runs_and_versions() {
    train_compare_and_promote(&Place::here());
}

#[test]
fn a_server_keeps_runs_and_versions() {
    let Some(server) = server() else {
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
    assert!(again.contains("is already in"), "{again}");
    assert_eq!(place.version_at("trend_up", "staging"), Some(4));
    assert_eq!(place.version_at("trend_up", "production"), Some(3));
}

/// "Back up" in docs/operations.md.
#[test]
fn a_server_restored_from_its_backup_goes_on() {
    let Some(server) = own_server() else {
        return;
    };
    let mut place = Place::with_server(server.uri());
    place.run(&[]);
    place.text(&["promote", "trend_up", "1", "production"]);
    let before = place.json(&["list"])["versions"].take();

    let server = server.restored();
    place.mlflow = Some(server.uri());
    assert_eq!(place.json(&["list"])["versions"], before);
    // Training compares with the model in production: its file came back too.
    let report = place.run(&[]);
    assert_eq!(model(&report, "trend_up")["version"], 2);
    place.text(&["promote", "trend_up", "2", "production"]);
    assert_eq!(place.version_at("trend_up", "production"), Some(2));
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let place = Place::here();
    let lake = place.refused(&["run"]);
    assert!(lake.contains("there is no lake at"), "{lake}");
    let range = place.refused(&["run", "--from", "yesterday"]);
    assert!(range.contains("`yesterday` is not a time"), "{range}");
    let publish = place.refused(&["publish", "20250101-000000-abcd"]);
    assert!(publish.contains("MLFLOW_TRACKING_URI"), "{publish}");
    let compare = place.refused(&["compare", "one", "two"]);
    assert!(compare.contains("there is no run one"), "{compare}");
    let promote = place.refused(&["promote", "trend_up", "7", "production"]);
    assert!(promote.contains("no version 7 of trend_up"), "{promote}");
    let listed = place.text(&["list"]);
    assert!(
        listed.contains("`coinlake train run` creates one"),
        "{listed}"
    );
    let none = place.output(&["list", "--last", "0"]);
    let said = String::from_utf8_lossy(&none.stderr);
    assert_eq!(none.status.code(), Some(2), "{said}");
    assert!(said.contains("'0' for '--last <N>'"), "{said}");

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
fn a_model_of_former_features_is_refused_and_trained_anew() {
    let place = Place::here();
    let run = place.run(&[])["run"].as_str().unwrap().to_owned();
    place.text(&["promote", "trend_up", "1", "production"]);
    let file = model_file(place.data.path(), &run);
    let mut former = Logistic::from_bytes(&fs::read(&file).unwrap()).unwrap();
    former.info.features_version = FEATURES_VERSION - 1;
    fs::write(&file, former.to_bytes()).unwrap();
    let said = place.refused(&["promote", "trend_up", "1", "production"]);
    assert!(
        said.contains("trend_up/1")
            && said.contains("features of version 1")
            && said.contains("train it again"),
        "{said}"
    );
    // What no longer serves is no rival: the next version is judged like a first one.
    let second = place.run(&[]);
    let reason = model(&second, "trend_up")["reason"].as_str().unwrap();
    assert!(
        reason.contains("version 1 no longer serves") && reason.contains("the base rate has 0.5"),
        "{reason}"
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
        reason.contains("cannot be compared with") && reason.contains("trend_up/1"),
        "{reason}"
    );
}
