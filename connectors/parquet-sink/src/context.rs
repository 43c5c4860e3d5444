//! What all partitions of a running stage share.

use std::collections::BTreeSet;
use std::sync::Arc;

use connector_runtime::cluster::Cluster;
use lake::{AppId, Lake};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::commit::StageTable;
use crate::config::StagePlan;
use crate::error::StageError;
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
    /// The tables of the plan's layers, once they are open.
    pub tables: OnceCell<Arc<[StageTable]>>,
    pub status: Arc<StageStatus>,
    pub meters: Meters,
    /// Cancelled when the stage must stop.
    pub stop: CancellationToken,
    pub failpoints: Failpoints,
    /// The id of this run, which is new on every start.
    pub writer: String,
    /// Partitions that this run has had open. A pod may give one up and take it again.
    pub opened: Arc<Mutex<BTreeSet<u32>>>,
    /// What each partition may hold in memory.
    pub memory_max: u64,
}

impl StageContext {
    /// The tables of the plan's layers, the main table first. The first caller opens them for all partitions.
    pub(crate) async fn tables(&self) -> Result<Arc<[StageTable]>, StageError> {
        let tables = self.tables.get_or_try_init(async || {
            let mut tables = Vec::new();
            for layer in self.plan.layers() {
                tables.push(StageTable::open(&self.lake, layer).await?);
            }
            Ok::<_, StageError>(tables.into())
        });
        tables.await.cloned()
    }

    pub(crate) fn was_open(&self, partition: u32) -> bool {
        self.opened.lock().contains(&partition)
    }

    /// Who commits what was made of this input partition.
    pub(crate) fn app(&self, partition: u32) -> AppId {
        AppId {
            stage: self.plan.name.clone(),
            topic: self.topic.clone(),
            partition,
        }
    }
}
