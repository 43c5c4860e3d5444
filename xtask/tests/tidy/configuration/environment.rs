//! Environment variables: what each means. A test compares the names with the sources.

use std::collections::BTreeSet;
use std::fs;

use crate::workspace::{files, root};

/// Name and meaning, as docs/configuration.md shows them.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    (
        "COINGECKO_API_KEY",
        "The CoinGecko key of `coinlake up`; connectors take it through `meta.secrets`.",
    ),
    ("COINGECKO_PLAN", "The plan of that key: `demo` or `pro`."),
    (
        "COINLAKE_GIT_COMMIT",
        "The commit that a training run records, where there is no checkout.",
    ),
    (
        "COINLAKE_PROMOTION_MARGIN",
        "`--margin` of `coinlake train run`.",
    ),
    (
        "COINLAKE_WEBHOOK_SECRET",
        "Signs messages to the webhook, as standardwebhooks.com describes. Optional.",
    ),
    (
        "COINLAKE_WEBHOOK_URL",
        "The webhook that gets the alerts. Those of further receivers end with `_` and their name.",
    ),
    (
        "MLFLOW_TRACKING_CLIENT_CERT_PATH",
        "A file with the certificate and key that the MLflow server wants, in PEM format.",
    ),
    (
        "MLFLOW_TRACKING_INSECURE_TLS",
        "`true`: any certificate of the MLflow server is trusted.",
    ),
    (
        "MLFLOW_TRACKING_PASSWORD",
        "The password at the MLflow server.",
    ),
    (
        "MLFLOW_TRACKING_SERVER_CERT_PATH",
        "A file with the authorities that may sign the MLflow server's certificate, in PEM format. Default: the system's.",
    ),
    (
        "MLFLOW_TRACKING_TOKEN",
        "A token instead of user and password.",
    ),
    (
        "MLFLOW_TRACKING_URI",
        "The MLflow server. Without it runs are stored in the data directory.",
    ),
    ("MLFLOW_TRACKING_USERNAME", "The user at the MLflow server."),
    (
        "MLFLOW_WORKSPACE",
        "The workspace of the MLflow server that runs and models belong to.",
    ),
];

/// Read by libraries, so the sources do not name them.
pub(crate) const OF_LIBRARIES: &[(&str, &str)] = &[
    (
        "AWS_…, GOOGLE_…, AZURE_…",
        "Credentials and options of the object store; `parquet.options` wins.",
    ),
    (
        "FLV_PROFILE_PATH",
        "The file with the Fluvio profiles, instead of `~/.fluvio/config`.",
    ),
    ("NO_COLOR", "Set to anything: no colours."),
    (
        "RUST_LOG",
        "What is logged: `debug`, `info,parquet_sink=trace`.",
    ),
];

/// Set by tests alone, so the page does not show them.
const OF_TESTS: [&str; 1] = ["COINLAKE_TEST_CLOCK"];

#[test]
fn every_environment_variable_is_documented() {
    let mut read = BTreeSet::new();
    for folder in [
        "cli/src",
        "connectors",
        "console",
        "lake/src",
        "standalone",
        "trainer/src",
    ] {
        for file in files(&root().join(folder), "rs") {
            if file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let names = code.split('"').filter(|it| is_ours(it));
            read.extend(names.filter(|it| !OF_TESTS.contains(it)).map(str::to_owned));
        }
    }
    let documented: BTreeSet<_> = VARIABLES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(
        read, documented,
        "left: what the sources read; right: VARIABLES in this file"
    );
}

fn is_ours(text: &str) -> bool {
    let mut prefixes = ["COINGECKO_", "COINLAKE_", "MLFLOW_"].into_iter();
    prefixes.any(|prefix| text.len() > prefix.len() && text.starts_with(prefix))
        && text
            .chars()
            .all(|char| char.is_ascii_uppercase() || char == '_')
}
