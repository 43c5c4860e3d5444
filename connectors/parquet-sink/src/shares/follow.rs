//! Runs a stage on the partitions that a pod holds.

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::kubernetes::Pod;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::held::Held;
use crate::error::StageError;
use crate::status::{StageStatus, TroubleSpot};

/// How often a pod looks at the number of pods and renews its Leases.
const INTERVAL: Duration = Duration::from_secs(2);

/// Runs `work` on this pod's partitions until `stop` is cancelled. Whenever they change, the work is stopped in order, so that what
/// was read is committed, and starts anew on those of now.
///
/// # Errors
/// What `work` fails with on partitions that are still this pod's.
pub(crate) async fn follow(
    pod: Pod,
    all: Vec<u32>,
    status: &Arc<StageStatus>,
    stop: CancellationToken,
    work: impl Fn(Vec<u32>, CancellationToken) -> BoxFuture<'static, Result<(), StageError>>,
) -> Result<(), StageError> {
    let trouble = TroubleSpot::new(status, pod.name().to_owned());
    let mut held = Held::new(pod, all);
    loop {
        look(&mut held, &trouble).await;
        let partitions = held.partitions();
        tracing::info!(?partitions, "this pod's partitions");
        held.let_go_but(&partitions).await;
        let round = stop.child_token();
        let mut working = work(partitions.clone(), round.clone());
        let ended = loop {
            tokio::select! {
                ended = &mut working => {
                    // After a pause a lost Lease explains the error.
                    if ended.is_err() && !stop.is_cancelled() {
                        look(&mut held, &trouble).await;
                    }
                    break ended;
                }
                () = tokio::time::sleep(INTERVAL) => look(&mut held, &trouble).await,
            }
            if held.partitions() != partitions {
                round.cancel();
            }
        };
        match ended {
            // One that lost a Lease may find that its successor has committed.
            Err(error) if held.partitions() != partitions => tracing::warn!("{error}"),
            ended if ended.is_err() || stop.is_cancelled() => {
                held.let_go_but(&[]).await;
                return ended;
            }
            _ => {}
        }
    }
}

async fn look(held: &mut Held, trouble: &TroubleSpot) {
    match held.look().await {
        Ok(None) => trouble.clear(),
        Ok(Some(waits)) => trouble.set(waits),
        // Those that work go on.
        Err(error) if held.partitions().is_empty() => trouble.set(error),
        Err(error) => tracing::warn!("{error}; the partitions stay as they are"),
    }
}
