//! The parts of a healthy platform, derived from the shipped configs.

use std::time::Duration;

use anyhow::Result;
use market::names::{smartmodule, topic};
use parquet_sink::{EMPTY_COMMIT_INTERVAL, StageConfig};
use survey::{Blueprint, DestinationPlan, StagePlan};

use super::fluvio_config::stages;

/// A stage with an older uncommitted record is stuck: ten times the shipped commit interval.
const COMMIT_AGE_MAX: Duration = Duration::from_secs(600);

/// The parts of a platform; new ticks must keep coming in a live one.
pub(crate) fn blueprint(live: bool) -> Result<Blueprint> {
    Ok(Blueprint {
        topics: topic::ALL.map(str::to_owned).to_vec(),
        smartmodules: smartmodule::ALL.map(str::to_owned).to_vec(),
        stages: stages()?.iter().map(stage_plan).collect(),
        live_topic: live.then(|| topic::CLEAN.to_owned()),
    })
}

fn stage_plan(stage: &StageConfig) -> StagePlan {
    let destinations = &stage.settings.destinations;
    // A stage that has no row for most of its inputs commits rarely.
    let commit_age_max = match destinations.as_slice() {
        [only] if only.when.is_some() => COMMIT_AGE_MAX + EMPTY_COMMIT_INTERVAL,
        _ => COMMIT_AGE_MAX,
    };
    StagePlan {
        name: stage.meta.name.clone(),
        input: stage.meta.topic.name.clone(),
        smartmodules: stage
            .transforms
            .iter()
            .map(|transform| transform.uses.clone())
            .collect(),
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
