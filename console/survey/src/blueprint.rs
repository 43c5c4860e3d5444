//! What a platform should consist of.

use std::time::Duration;

use serde::Serialize;

/// The topics, SmartModules and stages that a platform should have.
#[derive(Debug, Clone)]
pub struct Blueprint {
    /// Topic names, in the order the data flows.
    pub topics: Vec<String>,
    /// SmartModule names.
    pub smartmodules: Vec<String>,
    /// The stages, in the order the data flows.
    pub stages: Vec<StagePlan>,
    /// The topic in which new ticks must keep coming; `None` for a replay, which ends.
    pub live_topic: Option<String>,
}

/// One stage of the platform.
#[derive(Debug, Clone, Serialize)]
pub struct StagePlan {
    /// The stage's name, unique within the platform.
    pub name: String,
    /// The topic that the stage reads.
    pub input: String,
    /// The SmartModules that transform the input, in order; empty when the stage reads the topic as it is.
    pub smartmodules: Vec<String>,
    /// Where the stage writes. The first destination with a layer holds the stage's commits.
    pub destinations: Vec<DestinationPlan>,
    /// The stage is reported as behind when an input record stays uncommitted for longer than this.
    #[serde(skip)]
    pub commit_age_max: Duration,
}

/// Where outputs of a stage go: a topic, a layer of the lake, or both.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationPlan {
    /// The output topic.
    pub topic: Option<String>,
    /// The layer of the lake.
    pub layer: Option<String>,
}
