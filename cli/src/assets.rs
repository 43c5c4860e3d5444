//! What Coinlake brings to a cluster: topics, table formats, SmartModules and connector configs.
//!
//! The text files are those of `fluvio-config/`, compiled in, so that the one-machine platform and a real cluster run
//! the same configuration. The SmartModules are files beside the command, as they are built by another compiler.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::config::Secrets;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::config::TopicConfig;
use parquet_sink::{EMPTY_COMMIT_INTERVAL, StageConfig};
use survey::{Blueprint, DestinationPlan, StagePlan};

use crate::serving;

macro_rules! fluvio_config {
    ($path:literal) => {
        include_str!(concat!("../../fluvio-config/", $path))
    };
}

const TOPICS: [&str; 6] = [
    fluvio_config!("topics/crypto-raw.yaml"),
    fluvio_config!("topics/crypto-clean.yaml"),
    fluvio_config!("topics/crypto-rejected.yaml"),
    fluvio_config!("topics/crypto-features.yaml"),
    fluvio_config!("topics/crypto-alerts.yaml"),
    fluvio_config!("topics/crypto-predictions.yaml"),
];

const TABLE_FORMATS: [&str; 3] = [
    fluvio_config!("tableformats/crypto-alerts.yaml"),
    fluvio_config!("tableformats/crypto-features.yaml"),
    fluvio_config!("tableformats/crypto-predictions.yaml"),
];

/// A record that is not committed after this time means that its stage is stuck: ten times the shipped interval.
const COMMIT_AGE_MAX: Duration = Duration::from_secs(600);

/// Names of the SmartModules, which are also their file names.
pub const SMARTMODULES: [&str; 4] = [
    "crypto-clean",
    "crypto-features",
    "crypto-anomaly",
    serving::MODULE,
];

/// The source's connector config.
pub const SOURCE: &str = fluvio_config!("connectors/coingecko-source.yaml");

/// The stages' connector configs, in the order the data takes.
const STAGES: [&str; 5] = [
    fluvio_config!("connectors/stage-raw.yaml"),
    fluvio_config!("connectors/stage-clean.yaml"),
    fluvio_config!("connectors/stage-features.yaml"),
    fluvio_config!("connectors/stage-alerts.yaml"),
    fluvio_config!("connectors/stage-predictions.yaml"),
];

/// The topics as `fluvio topic create --config` takes them.
pub fn topics() -> Result<Vec<TopicConfig>> {
    TOPICS
        .iter()
        .map(|text| text.parse().context("a shipped topic file is broken"))
        .collect()
}

/// Their names, in the order the data takes.
pub fn topic_names() -> Result<Vec<String>> {
    Ok(topics()?.into_iter().map(|topic| topic.meta.name).collect())
}

/// The table formats as `fluvio table-format create --config` takes them.
pub fn table_formats() -> Result<Vec<TableFormatSpec>> {
    TABLE_FORMATS
        .iter()
        .map(|text| serde_saphyr::from_str(text).context("a shipped table format is broken"))
        .collect()
}

/// The stages' configs, understood.
pub fn stages() -> Result<Vec<StageConfig>> {
    STAGES
        .iter()
        .map(|text| {
            ConnectorConfig::from_yaml(text, parquet_sink::SECTION, &Secrets::none())
                .context("a shipped stage config is broken")
        })
        .collect()
}

/// What a platform consists of.
pub fn blueprint() -> Result<Blueprint> {
    Ok(Blueprint {
        topics: topic_names()?,
        smartmodules: SMARTMODULES.iter().map(ToString::to_string).collect(),
        stages: stages()?.iter().map(plan).collect(),
    })
}

fn plan(stage: &StageConfig) -> StagePlan {
    let destinations = &stage.settings.destinations;
    // A stage that has no row for most of its inputs commits rarely.
    let commit_age_max = match destinations.as_slice() {
        [only] if only.when.is_some() => COMMIT_AGE_MAX + EMPTY_COMMIT_INTERVAL,
        _ => COMMIT_AGE_MAX,
    };
    StagePlan {
        name: stage.meta.name.clone(),
        input: stage.meta.topic.name.clone(),
        smartmodules: stage.transforms.iter().map(|t| t.uses.clone()).collect(),
        destinations: destinations
            .iter()
            .map(|destination| DestinationPlan {
                topic: destination.topic.clone(),
                layer: destination.layer.as_ref().map(|layer| layer.name.clone()),
            })
            .collect(),
        commit_age_max,
    }
}

/// One SmartModule, read and checked.
pub struct SmartModule {
    pub name: &'static str,
    pub wasm: Vec<u8>,
}

/// Reads the SmartModules from `dir`, or from where they lie beside the command: `../smartmodules`.
///
/// # Errors
/// When a file is missing or is not wasm.
pub fn smartmodules(dir: Option<&Path>) -> Result<Vec<SmartModule>> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => beside_the_command()?,
    };
    SMARTMODULES
        .iter()
        .map(|name| {
            let path = dir.join(format!("{name}.wasm"));
            let wasm = fs::read(&path).with_context(|| {
                format!(
                    "SmartModule {} cannot be read: build it with `cargo xtask smartmodules`, or name its folder with --smartmodules",
                    path.display()
                )
            })?;
            if !wasm.starts_with(b"\0asm") {
                bail!(
                    "{} is not a wasm file: build it anew with `cargo xtask smartmodules`",
                    path.display()
                );
            }
            // It may replace one that works.
            wasmparser::validate(&wasm).with_context(|| {
                format!(
                    "{} is damaged: build it anew with `cargo xtask smartmodules`",
                    path.display()
                )
            })?;
            Ok(SmartModule { name, wasm })
        })
        .collect()
}

fn beside_the_command() -> Result<PathBuf> {
    let command = env::current_exe().context("cannot tell where this command lies")?;
    // target/release/coinlake -> target/smartmodules, bin/coinlake -> smartmodules;
    // a test binary lies one folder deeper.
    command
        .ancestors()
        .skip(2)
        .take(2)
        .map(|dir| dir.join("smartmodules"))
        .find(|dir| dir.is_dir())
        .with_context(|| {
            format!(
                "no folder `smartmodules` beside {}: build them with `cargo xtask smartmodules`, or name their folder with --smartmodules",
                command.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_topics_share_one_partition_count() {
        let topics = topics().unwrap();
        let counts: Vec<_> = topics.iter().map(|topic| topic.partition.count).collect();
        assert!(counts.iter().all(|count| *count == Some(3)), "{counts:?}");
    }

    #[test]
    fn shipped_table_formats_parse() {
        let names: Vec<_> = table_formats()
            .unwrap()
            .into_iter()
            .map(|f| f.name)
            .collect();
        assert_eq!(
            names,
            ["crypto-alerts", "crypto-features", "crypto-predictions"]
        );
    }

    #[test]
    fn a_module_that_is_not_wasm_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in SMARTMODULES {
            fs::write(dir.path().join(format!("{name}.wasm")), "text").unwrap();
        }
        let error = smartmodules(Some(dir.path())).err().unwrap().to_string();
        assert!(
            error.contains("crypto-clean.wasm is not a wasm file"),
            "{error}"
        );
    }
}
