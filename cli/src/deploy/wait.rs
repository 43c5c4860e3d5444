//! Waiting for a deployment that somebody else does.

use std::time::Duration;

use anyhow::{Result, bail};
use connector_runtime::cluster::{Cluster, ClusterError};
use connector_runtime::process::shutdown;

use super::present::Present;
use crate::assets;

/// How often the cluster is asked.
const POLL: Duration = Duration::from_secs(1);

/// Returns when every topic and SmartModule is there. How they look is no reason to wait: they may be of another version,
/// or have another partition count.
///
/// # Errors
/// When it is interrupted, or the cluster cannot be asked for a reason that does not pass.
pub async fn wait(cluster: &Cluster) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let mut said = String::new();
    loop {
        let reason = match missing(cluster).await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => format!("not there yet: {}", missing.join(", ")),
            Err(error) => match error.downcast_ref::<ClusterError>() {
                Some(trouble) if !trouble.is_transient() => return Err(error),
                _ => format!("{error:#}"),
            },
        };
        if reason != said {
            eprintln!("waiting: {reason}");
            said = reason;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = interrupted.cancelled() => bail!("interrupted before everything was there"),
        }
    }
}

/// What would have to be created.
async fn missing(cluster: &Cluster) -> Result<Vec<String>> {
    let client = cluster.connect().await?;
    let present = Present::look(&client).await?;
    let topics = assets::topic_names()?
        .into_iter()
        .filter(|name| !present.topics.contains_key(name))
        .map(|name| format!("topic {name}"));
    let smartmodules = assets::SMARTMODULES
        .iter()
        .filter(|name| !present.module_names.contains(**name))
        .map(|name| format!("SmartModule {name}"));
    Ok(topics.chain(smartmodules).collect())
}
