//! The files of `fluvio-config/`, compiled in.

use anyhow::{Context, Result};
use coingecko_source::SourceSettings;
use connector_runtime::config::ConnectorConfig;
use connector_runtime::config::Secrets;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::config::TopicConfig;
use parquet_sink::StageConfig;

macro_rules! fluvio_config {
    ($path:literal) => {
        include_str!(concat!("../../../fluvio-config/", $path))
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

const SOURCE: &str = fluvio_config!("connectors/coingecko-source.yaml");

const STAGES: [&str; 5] = [
    fluvio_config!("connectors/stage-raw.yaml"),
    fluvio_config!("connectors/stage-clean.yaml"),
    fluvio_config!("connectors/stage-features.yaml"),
    fluvio_config!("connectors/stage-alerts.yaml"),
    fluvio_config!("connectors/stage-predictions.yaml"),
];

/// The topics, in the order the data takes.
pub(crate) fn topics() -> Result<Vec<TopicConfig>> {
    TOPICS
        .iter()
        .map(|text| text.parse().context("a shipped topic file is invalid"))
        .collect()
}

pub(crate) fn table_formats() -> Result<Vec<TableFormatSpec>> {
    TABLE_FORMATS
        .iter()
        .map(|text| serde_saphyr::from_str(text).context("a shipped table format is invalid"))
        .collect()
}

pub(crate) fn source() -> Result<ConnectorConfig<SourceSettings>> {
    ConnectorConfig::from_yaml(SOURCE, coingecko_source::SECTION, &Secrets::none())
        .context("the shipped source config is invalid")
}

/// The stages, in the order the data takes.
pub(crate) fn stages() -> Result<Vec<StageConfig>> {
    STAGES
        .iter()
        .map(|text| {
            ConnectorConfig::from_yaml(text, parquet_sink::SECTION, &Secrets::none())
                .context("a shipped stage config is invalid")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use market::names::topic;

    use super::*;

    #[test]
    fn every_topic_is_shipped() {
        let topics = topics().unwrap();
        let names: Vec<_> = topics.iter().map(|topic| &*topic.meta.name).collect();
        assert_eq!(names, topic::ALL);
    }

    #[test]
    fn shipped_topics_share_one_partition_count() {
        let topics = topics().unwrap();
        let counts: Vec<_> = topics.iter().map(|topic| topic.partition.count).collect();
        assert!(counts.iter().all(|count| *count == Some(3)), "{counts:?}");
    }

    #[test]
    fn shipped_table_formats_parse() {
        let formats = table_formats().unwrap();
        let names: Vec<_> = formats.iter().map(|format| &*format.name).collect();
        assert_eq!(names, [topic::ALERTS, topic::FEATURES, topic::PREDICTIONS]);
    }

    #[test]
    fn shipped_connector_configs_parse() {
        source().unwrap();
        assert_eq!(stages().unwrap().len(), STAGES.len());
    }
}
