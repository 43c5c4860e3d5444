//! The parts of a healthy platform, derived from the shipped configs.

use std::time::Duration;

use anyhow::Result;
use market::names::{smartmodule, topic};
use parquet_sink::{EMPTY_COMMIT_INTERVAL, StageConfig};
use survey::{Blueprint, DestinationPlan, StagePlan};

use super::fluvio_config::stages;

/// A stage with an uncommitted record of this many commit intervals is stuck.
const COMMIT_INTERVALS_MAX: u32 = 10;

/// The parts of a platform. New ticks must keep coming in a live one. `commit_interval` is that of the stages, if it is not the
/// shipped one.
pub(crate) fn blueprint(live: bool, commit_interval: Option<Duration>) -> Result<Blueprint> {
    Ok(Blueprint {
        topics: topic::ALL.map(str::to_owned).to_vec(),
        smartmodules: smartmodule::ALL.map(str::to_owned).to_vec(),
        stages: stages()?
            .iter()
            .map(|stage| stage_plan(stage, commit_interval))
            .collect(),
        live_topic: live.then(|| topic::CLEAN.to_owned()),
    })
}

fn stage_plan(stage: &StageConfig, commit_interval: Option<Duration>) -> StagePlan {
    let destinations = &stage.settings.destinations;
    let commit_interval = commit_interval.unwrap_or(stage.settings.limits.interval);
    let commit_age_max = commit_interval.saturating_mul(COMMIT_INTERVALS_MAX);
    // A stage that has no row for most of its inputs commits rarely.
    let commit_age_max = match destinations.as_slice() {
        [only] if only.when.is_some() => commit_age_max + EMPTY_COMMIT_INTERVAL,
        _ => commit_age_max,
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
