//! The files that ship with the connector, and what is wrong with others.

use std::collections::BTreeSet;
use std::path::Path;

use coingecko_source::{Config, SECTION, SourceSettings};
use connector_runtime::config::Secrets;
use secrecy::ExposeSecret;

fn shipped(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_shipped_configs_are_understood() {
    let cluster = shipped("../../fluvio-config/connectors/coingecko-source.yaml");
    let config = Config::from_yaml(&cluster, SECTION, &Secrets::none()).unwrap();
    assert_eq!(
        (config.meta.topic.name.as_str(), config.settings.top),
        ("crypto-raw", Some(250))
    );

    let dir = tempfile::tempdir().unwrap();
    let secrets = dir.path().join("secrets.txt");
    std::fs::write(&secrets, "COINGECKO_API_KEY=CG-very-secret\n").unwrap();
    let secrets = Secrets::from_file(&secrets).unwrap();
    let config = Config::from_yaml(&shipped("sample-config.yaml"), SECTION, &secrets).unwrap();
    let key = config.settings.api_key.as_ref().unwrap();
    assert_eq!(key.expose_secret(), "CG-very-secret");
    assert!(!format!("{config:?}").contains("very-secret"));
}

#[test]
fn connector_toml_lists_every_setting() {
    let text = shipped("Connector.toml");
    let listed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("[custom_config.properties.")?
                .strip_suffix(']')
        })
        .collect();
    // serde names them all when it meets one it doesn't know.
    let error = serde_json::from_str::<SourceSettings>(r#"{"?":0}"#)
        .unwrap_err()
        .to_string();
    let known: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    assert_eq!(listed, known, "{error}");
}

#[test]
fn mistakes_are_named() {
    let config = |settings: &str| {
        let text = format!(
            "meta:\n  version: 0.1.0\n  name: s\n  type: coingecko-source\n  topic: t\n{SECTION}:\n  {settings}\n"
        );
        Config::from_yaml(&text, SECTION, &Secrets::none())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    for (settings, parts) in [
        ("poll_intervall: 60s", ["poll_intervall", "line 7"]),
        ("poll_interval: soon", ["poll_interval", "line 7"]),
        ("plan: free", ["free", "line 7"]),
        ("top: many", ["top", "line 7"]),
    ] {
        let message = config(settings);
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in: {message}");
        }
    }
}
