//! Compares a platform with its blueprint.

use anyhow::Result;
use connector_runtime::cluster::Client;

use crate::blueprint::Blueprint;
use crate::freshness::FreshnessReader;
use crate::report::Survey;
use crate::tables::Tables;
use crate::{smartmodules, stages, topics};

/// Surveys one platform as often as asked.
pub struct Surveyor {
    blueprint: Blueprint,
    tables: Tables,
    freshness: FreshnessReader,
}

impl Surveyor {
    /// A surveyor of the platform that `blueprint` describes and that writes these tables.
    pub fn new(blueprint: Blueprint, tables: Tables) -> Self {
        Self {
            blueprint,
            tables,
            freshness: FreshnessReader::default(),
        }
    }

    /// Looks at every topic, SmartModule, stage and layer of the blueprint.
    ///
    /// # Errors
    /// When the broker or the lake cannot be reached. Differences from the blueprint are [problems](Survey::problems).
    pub async fn survey(&mut self, client: &Client) -> Result<Survey> {
        let mut survey = Survey::default();
        topics::survey(client, &self.blueprint.topics, &mut survey).await?;
        smartmodules::survey(client, &self.blueprint.smartmodules, &mut survey).await?;
        for stage in &self.blueprint.stages {
            stages::survey(client, stage, &self.tables, &mut survey).await?;
        }
        if let Some(topic) = &self.blueprint.live_topic {
            let now_ms = client.cluster().clock().now_ms();
            self.freshness
                .survey(client, topic, now_ms, &mut survey)
                .await?;
        }
        survey.ok = survey.problems.is_empty();
        Ok(survey)
    }
}
