//! What all partitions of a running stage share.

use std::sync::Arc;

use connector_runtime::cluster::Cluster;
use lake::Lake;
use tokio_util::sync::CancellationToken;

use crate::config::StagePlan;
use crate::failpoints::Failpoints;
use crate::meters::Meters;
use crate::status::StageStatus;

/// What all partitions of a running stage share.
pub(crate) struct StageContext {
    pub plan: StagePlan,
    /// The input topic.
    pub topic: String,
    /// Number of partitions of the input topic.
    pub partitions: u32,
    /// The consumer id under which `fluvio consumer list` shows the progress.
    pub consumer_id: String,
    pub cluster: Cluster,
    pub lake: Lake,
    pub status: Arc<StageStatus>,
    pub meters: Meters,
    /// Cancelled when the stage must stop.
    pub stop: CancellationToken,
    pub failpoints: Failpoints,
    /// The id of this run, which is new on every start.
    pub writer: String,
    /// What each partition may hold in memory.
    pub memory_max: u64,
}
