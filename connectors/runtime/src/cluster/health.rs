//! Whether a cluster answers, and where a topic's partitions end.
//!
//! A stream that waits for records looks the same whether there are none or the broker is gone. So a task asks every few
//! seconds.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use parking_lot::Mutex;

use super::client::Cluster;
use super::leader::Leader;
use crate::record::LogRange;

/// The pause between two checks.
const INTERVAL: Duration = Duration::from_secs(3);
/// After this long without an answer the cluster counts as gone: a busy one answers late.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The health of a cluster, for readiness probes.
#[derive(Debug, Default)]
pub struct ClusterHealth {
    last: Mutex<LastAnswer>,
}

#[derive(Debug, Default)]
enum LastAnswer {
    #[default]
    None,
    At(Instant),
    Failed(String),
}

impl ClusterHealth {
    /// Whether the cluster answers.
    ///
    /// # Errors
    /// The reason when it does not.
    pub fn check(&self) -> Result<(), String> {
        match &*self.last.lock() {
            LastAnswer::None => Err("the cluster has not answered yet".to_owned()),
            LastAnswer::Failed(error) => Err(error.clone()),
            LastAnswer::At(at) if at.elapsed() > SILENCE_MAX => Err(format!(
                "the cluster has not answered for {} s: check that it runs and can be reached",
                at.elapsed().as_secs()
            )),
            LastAnswer::At(_) => Ok(()),
        }
    }

    /// Checks the cluster every three seconds; never returns. After each success `on_range` receives the offsets of each partition.
    /// Without partitions it only connects, which shows as well that the cluster answers.
    pub async fn watch(
        &self,
        cluster: &Cluster,
        topic: &str,
        partitions: &[u32],
        mut on_range: impl FnMut(u32, LogRange),
    ) {
        let mut timer = tokio::time::interval(INTERVAL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut leaders = Vec::new();
        loop {
            timer.tick().await;
            let was_connected = !leaders.is_empty();
            let mut asked = ask(cluster, topic, partitions, &mut leaders).await;
            if asked.is_err() && was_connected {
                // The leader restarted or moved: its connection says nothing about the cluster.
                leaders.clear();
                asked = ask(cluster, topic, partitions, &mut leaders).await;
            }
            *self.last.lock() = match asked {
                Ok(ranges) => {
                    for (partition, range) in ranges {
                        on_range(partition, range);
                    }
                    LastAnswer::At(Instant::now())
                }
                Err(error) => {
                    leaders.clear();
                    LastAnswer::Failed(format!("{error:#}"))
                }
            };
        }
    }
}

/// The offsets of all partitions, asked of their leaders at once. `leaders` holds the connections from one call to the next.
async fn ask(
    cluster: &Cluster,
    topic: &str,
    partitions: &[u32],
    leaders: &mut Vec<Leader>,
) -> anyhow::Result<Vec<(u32, LogRange)>> {
    if leaders.is_empty() {
        let client = cluster.connect().await?;
        let connecting = partitions.iter();
        let connecting = connecting.map(|partition| Leader::connect(&client, topic, *partition));
        *leaders = try_join_all(connecting).await?;
    }
    let asking = leaders.iter_mut().map(async |leader| {
        let range = leader.offsets().await?;
        anyhow::Ok((leader.partition, range))
    });
    try_join_all(asking).await
}
