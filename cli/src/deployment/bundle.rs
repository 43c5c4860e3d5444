//! What to deploy.

use anyhow::Result;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::config::TopicConfig;
use market::model::ModelPair;
use market::names::smartmodule;

use crate::assets::{self, SmartModule};

pub(crate) struct Bundle {
    pub(crate) topics: Vec<TopicConfig>,
    pub(crate) smartmodules: Vec<SmartModule>,
    pub(crate) table_formats: Vec<TableFormatSpec>,
    /// Models that replace those the cluster serves; a missing one leaves the cluster's in place.
    pub(crate) production: ModelPair,
}

impl Bundle {
    /// Everything; `partitions` overrides the count in the topic files.
    pub(crate) fn complete(
        smartmodules: Vec<SmartModule>,
        partitions: Option<u32>,
        production: ModelPair,
    ) -> Result<Self> {
        let mut topics = assets::topics()?;
        if let Some(partitions) = partitions {
            for topic in &mut topics {
                topic.partition.count = Some(partitions);
            }
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
