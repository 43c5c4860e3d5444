//! Waits for a deployment that another process does.

use std::time::Duration;

use anyhow::{Result, bail};
use connector_runtime::cluster::{Cluster, ClusterError};
use connector_runtime::process::{log, shutdown};
use market::names::{smartmodule, topic};
use tokio::time::MissedTickBehavior;

use super::cluster_state::ClusterState;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Returns when the cluster has every topic and SmartModule. Their versions and partition counts do not matter: another
/// version of this command may have deployed them.
///
/// # Errors
/// When it is interrupted, or when connecting fails for a reason that will not pass.
pub(crate) async fn wait_until_deployed(cluster: &Cluster) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let mut poll = tokio::time::interval(POLL_INTERVAL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reported = String::new();
    loop {
        tokio::select! {
            _ = poll.tick() => {}
            () = interrupted.cancelled() => bail!("interrupted before everything was deployed"),
        }
        let reason = match missing(cluster).await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => format!("not deployed yet: {}", missing.join(", ")),
            Err(error) => match error.downcast_ref::<ClusterError>() {
                Some(cause) if !cause.is_transient() => return Err(error),
                _ => format!("{error:#}"),
            },
        };
        if reason != reported {
            log::say(&format!("waiting: {reason}"));
            reported = reason;
        }
    }
}

/// The topics and SmartModules that the cluster does not have.
async fn missing(cluster: &Cluster) -> Result<Vec<String>> {
    let client = cluster.connect().await?;
    let state = ClusterState::read(&client).await?;
    let topics = topic::ALL
        .iter()
        .filter(|name| !state.topics.contains_key(**name))
        .map(|name| format!("topic {name}"));
    let smartmodules = smartmodule::ALL
        .iter()
        .filter(|name| !state.module_names.contains(**name))
        .map(|name| format!("SmartModule {name}"));
    Ok(topics.chain(smartmodules).collect())
}
