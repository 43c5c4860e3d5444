//! The topics, SmartModules, table formats and models of one deployment.

use std::time::Duration;

use anyhow::Result;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::config::TopicConfig;
use market::model::ModelPair;
use market::names::smartmodule;

use crate::assets::{self, SmartModule};

/// Settings of topics that the cluster does not have yet. `None` keeps what the topic's file says; where that says nothing of
/// replication, the cluster chooses.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TopicOptions {
    pub(crate) partitions: Option<u32>,
    /// Copies of each partition.
    pub(crate) replication: Option<u32>,
    /// How long records are kept.
    pub(crate) retention: Option<Duration>,
}

pub(crate) struct Bundle {
    pub(crate) topics: Vec<TopicConfig>,
    pub(crate) smartmodules: Vec<SmartModule>,
    pub(crate) table_formats: Vec<TableFormatSpec>,
    /// Models that replace those the cluster serves; a missing one leaves the cluster's in place.
    pub(crate) production: ModelPair,
}

impl Bundle {
    /// All of it, with `options` over the topic files.
    pub(crate) fn complete(
        smartmodules: Vec<SmartModule>,
        options: TopicOptions,
        production: ModelPair,
    ) -> Result<Self> {
        let mut topics = assets::topics()?;
        for TopicConfig {
            partition,
            retention,
            ..
        } in &mut topics
        {
            partition.count = options.partitions.or(partition.count);
            partition.replication = options.replication.or(partition.replication);
            retention.time = options.retention.or(retention.time);
        }
        Ok(Self {
            topics,
            smartmodules,
            table_formats: assets::table_formats()?,
            production,
        })
    }

    /// Only the SmartModule that serves models.
    pub(crate) fn models_only(mut smartmodules: Vec<SmartModule>, production: ModelPair) -> Self {
        smartmodules.retain(|module| module.name == smartmodule::PREDICT);
        Self {
            topics: Vec::new(),
            smartmodules,
            table_formats: Vec::new(),
            production,
        }
    }
}
